"""Makes the pictures of README.md: python docs/pictures.py. The faces are drawn, nobody was photographed."""

from pathlib import Path

import cv2
import numpy as np

from labkit import synthetic

HERE = Path(__file__).parent


def people() -> np.ndarray:
    """Three rows of built-in faces as the networks see them, each by another person."""
    people = synthetic.make(33, size=96, seed=5, subjects=[f"person{i}" for i in range(33)])
    return synthetic.sheet(people.images, columns=11)


def emotions() -> np.ndarray:
    """One face in each emotion, from its usual action units."""
    faces = []
    for emotion in synthetic.EMOTIONS:
        parameters = synthetic.FaceParameters(action_units=synthetic.PROTOTYPES[emotion][0])
        faces.append(synthetic.draw(parameters, 152))
    return synthetic.sheet(np.stack(faces), columns=7)


for name, picture in (("people", people()), ("emotions", emotions())):
    cv2.imwrite(str(HERE / f"{name}.png"), picture[:, :, ::-1])
