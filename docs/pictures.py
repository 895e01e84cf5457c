"""Makes the pictures of README.md: python docs/pictures.py. Faces are rendered, nobody was photographed."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from labkit import synthetic

HERE = Path(__file__).parent
MODEL = synthetic.Identity(
    skin=0.6, masculine=0.3, ancestry=(0.6, 0.2, 0.2), hair_style="short", hair_colour="black", seed=5
)


def people() -> np.ndarray:
    """Three rows of built-in faces, each of another person, before a camera blurs them and adds noise."""
    names = [f"person{i}" for i in range(33)]
    people = synthetic.make(33, size=112, seed=6, subjects=names, without=["camera"])
    return synthetic.sheet(people.images, columns=11)


def emotions() -> np.ndarray:
    """One face in each emotion, from its usual action units; then turned, and under other lamps."""
    happy = synthetic.FaceParameters(MODEL, synthetic.PROTOTYPES["happy"][0])
    every = [
        *(replace(happy, action_units=synthetic.PROTOTYPES[e][0]) for e in synthetic.EMOTIONS),
        *(replace(happy, yaw=yaw) for yaw in (-0.6, -0.3, 0.3)),
        *(
            replace(happy, light=lamp, contrast=0.85, softness=0.3)
            for lamp in ((-0.9, -0.2), (0.9, -0.2), (0, -0.9), (0, 0.9))
        ),
    ]
    return synthetic.sheet(np.stack([synthetic.draw(one, 152) for one in every]), columns=7)


for name, picture in (("people", people()), ("emotions", emotions())):
    cv2.imwrite(str(HERE / f"{name}.png"), picture[:, :, ::-1])
