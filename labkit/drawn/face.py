"""Draw a built-in face: `draw(parameters, size)`.

Who (`head.person`), what the face does (`Person.moved`), from where (`camera.View`), which triangle is seen
in each pixel (`render.rasterise`), what stands there (`skin`, `eyes`, `hair`), what light makes of it
(`light.Light`), and what the camera makes of that (`camera.photograph`).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from labkit.drawn import camera, eyes, glasses, hair, head, skin
from labkit.drawn.light import Light
from labkit.drawn.parameters import FaceParameters, Identity
from labkit.drawn.render import Visible, rasterise
from labkit.drawn.surface import Surface, linear, ramp

CLOTH, THROAT_PART = 90, 91  # parts of a picture beside those of the head
CLOTHES_BELOW = -2.05
# A dark wall behind the teeth, seen where nothing else closes the mouth.
THROAT = np.array(
    [(-0.4, -0.6, -0.5), (-0.4, -1.42, -0.5), (0.4, -1.42, -0.5), (0.4, -0.6, -0.5)], np.float32
)


@dataclass(frozen=True)
class Worn:
    """A person and what is worn on the head, as far as it is the same in all pictures."""

    person: head.Person
    hair: tuple
    cloth: tuple


@lru_cache(maxsize=16)
def worn(who: Identity) -> Worn:
    """The person of an identity, and what is worn; the last few are kept."""
    person = head.person(who.masculine, who.age, who.weight, who.ancestry, who.features)
    bone = hair.skull(person.vertices)
    return Worn(person, hair.hair(bone, who), tuple(hair.worn(bone, who)))


def draw(parameters: FaceParameters, size: int = 64) -> np.ndarray:
    """One picture of one face. The same parameters give the same pixels.

    Args:
        parameters: all that is to be seen in the picture.
        size: pixels a side, 32 to 512.

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        ValueError: for another size.
    """
    if not 32 <= size <= 512:
        raise ValueError(f"size: expected 32 to 512 pixels, got {size}")
    p, who = parameters, parameters.identity
    canvas = size * 3 // 2 if size < 192 else size * 5 // 4  # the larger, the less an edge shows
    random = np.random.default_rng(p.seed)
    of_who = worn(who)
    view = camera.View.of(p, of_who.person.eyes, canvas)
    light = Light.of(p)
    picture = camera.background(p, canvas, random).reshape(-1, 3)
    vertices = of_who.person.moved(p.action_units, p.asymmetry)
    solid, part = body(of_who, vertices, view, light, canvas)
    picture[solid.pixel] = paint(solid, part, of_who, view, light, p)
    depth = np.full(canvas * canvas, -np.inf, np.float32)
    depth[solid.pixel] = solid.depth + np.float32(0.1) * (part == CLOTH)  # no hair through a hat
    for shell in of_who.hair:
        _comb(picture, depth, shell, who, view, light, canvas)
    picture *= np.float32(_metered(who, light))
    picture = picture.reshape(canvas, canvas, 3)
    glasses.draw(picture, of_who.person, view, who, light.towards)
    if p.occlusion > 0:
        camera.occlude(picture, p.occlusion, random)
    return camera.photograph(picture, p, size, random)


def _metered(who, light) -> float:
    """Cameras expose for the face."""
    bright = float((skin.tone(who.skin) * (0.3, 0.6, 0.1)).sum())
    total = bright * (0.62 * float(light.lamp[1]) + 0.72 * float(light.sky[1]))
    return 0.55 / (0.22 + 0.78 * total) ** 0.8


@dataclass(frozen=True)
class Seen:
    """What is seen of body and cloth: `visible` and per-pixel values of the vertices."""

    visible: Visible
    place: np.ndarray
    normal: np.ndarray
    here: np.ndarray
    masks: np.ndarray  # lips, mouth, open, lit

    @property
    def pixel(self):
        return self.visible.pixel

    @property
    def depth(self):
        return self.visible.depth


def body(of_who: Worn, vertices, view, light, canvas):
    """Rasterise the head and what is worn on it; returns `Seen` and the part of each pixel."""
    h = head.load()
    columns = [h.mean, h.normals(vertices), vertices]
    masks = [h.masks["lips"], h.masks["inside_mouth"], np.maximum(h.occlusion, 0.2), light.reached(view.axes)]
    values = [np.concatenate([*columns, np.stack(masks, 1)], 1)]
    faces, parts = [h.triangles], [h.part]
    start = len(vertices)
    values.append(np.concatenate([THROAT, THROAT * 0 + (0, 0, 1), THROAT, np.zeros((4, 4))], 1))
    faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + start)
    parts.append(np.full(2, THROAT_PART, np.uint8))
    start += len(THROAT)
    for shell in of_who.cloth:
        m, n, _ = shell.points.shape
        mesh = hair.triangles(m, n)
        points = shell.vertices
        extra = np.broadcast_to(np.array([0, 0, 0.85, 0.9], np.float32), (len(points), 4))
        values.append(np.concatenate([points, _sheet_normals(shell), points, extra], 1))
        faces += [mesh + start, mesh[:, ::-1] + start]  # seen from both sides
        parts.append(np.full(2 * len(mesh), CLOTH, np.uint8))
        start += len(points)
    values = np.concatenate(values).astype(np.float32)
    faces, parts = np.concatenate(faces), np.concatenate(parts)
    xy, depth = view.project(values[:, 6:9])
    visible = rasterise(xy, depth, faces, canvas)
    at = visible.interpolate(values)
    normal = camera.turn(at[:, 3:6], view.axes)
    return Seen(visible, at[:, :3], normal, at[:, 6:9], at[:, 9:]), parts[visible.triangle]


def _sheet_normals(shell) -> np.ndarray:
    """Normals of a sheet's points, float32 (M * N, 3)."""
    down, right = np.gradient(shell.points, axis=1), np.gradient(shell.points, axis=0)
    normal = np.cross(down, right)
    return head.unit_rows(normal).reshape(-1, 3).astype(np.float32)


def paint(seen: Seen, part, of_who: Worn, view, light, p) -> np.ndarray:
    """The light that each pixel of body and cloth sends to the viewer, linear, float32 (P, 3).

    Args:
        seen, part: as `body` gives them.
        of_who, view, light, p: who is seen, from where, in which light; the picture's parameters.
    """
    n = len(part)
    surface = Surface(
        place=seen.place,
        colour=np.empty((n, 3), np.float32),
        normal=seen.normal,
        shine=np.zeros(n, np.float32),
        open=seen.masks[:, 2].copy(),
        lit=seen.masks[:, 3].copy(),
    )
    gleam = np.zeros(n, np.float32)
    for index in np.unique(part):
        which = np.flatnonzero(part == index)
        piece = surface.part(which)
        if index == CLOTH:
            _cloth(piece, p.identity)
        elif index == THROAT_PART:
            piece.colour[:], piece.lit[:], piece.open[:] = 0.02, 0.0, 0.2
        elif head.PARTS[index] == "skin":
            _flesh(piece, seen.masks[which], view, p)
        else:
            gleam[which] = _part_of_face(head.PARTS[index], piece, seen.here[which], of_who, view, light, p)
        surface.put(which, piece)
    return light.on(surface, gleam)


def _flesh(surface, masks, view, p):
    """Skin with what grows on it, and clothes below the neck."""
    hair_colour = linear(hair.COLOURS[p.identity.hair_colour])
    units = {name: amount for name, amount in p.action_units.items() if amount > 0}
    axes = view.axes[:, :2].T.astype(np.float32)
    skin.paint(surface, masks[:, 0], masks[:, 1], p.identity, units, axes, hair_colour, p.furrows)
    hair.roots(surface, p.identity)
    x, y, z = surface.place.T
    edge = CLOTHES_BELOW - 0.25 * np.abs(x) + 0.35 * ramp(-0.3, 0.3, -z)
    surface.mix((y < edge).astype(np.float32), linear(p.clothes), shine=0.0)


def _part_of_face(name, surface, here, of_who, view, light, p):
    """Paint eyes, teeth, tongue or lashes; returns their highlights, float (P,), or 0."""
    who = p.identity
    if name.endswith("eye"):
        outward = head.unit_rows(here - of_who.person.eyes[1 if name == "left_eye" else 0])
        axes, wide = view.axes.T.astype(np.float32), p.action_units.get("AU5", 0.0)
        eyes.paint(surface, outward, who, of_who.person.radius, _gaze(p), axes, wide)
        return 0.9 * eyes.glint(head.unit_rows(surface.normal), light.halfway)
    if name.endswith("teeth"):
        eyes.teeth(surface, here, who, name == "lower_teeth")
        surface.colour *= np.float32(p.mouth_light)
    elif name == "tongue":
        eyes.tongue(surface)
    else:
        eyes.lashes(surface, who, skin.tone(who.skin))
    return 0.0


def _cloth(surface, who):
    """A hat or scarf, darker on its inside."""
    surface.colour[:] = hair.cloth(surface.place, who)
    within = surface.normal[:, 2] < 0
    surface.normal[within] *= -1
    surface.open[within] *= 0.4
    surface.lit[within] *= 0.3


def _gaze(p) -> np.ndarray:
    """Where the eyes look, of the head: half way back to the camera when the head is turned."""
    right, down = p.gaze
    return head.unit_rows(np.array([0.35 * right - 0.4 * p.yaw, -0.25 * down + 0.3 * p.pitch, 1.0]))


def _comb(picture, depth, shell, who, view, light, canvas):
    """Hair over what is there already; it lets through what lies behind its ends."""
    m, n, _ = shell.points.shape
    turn = np.broadcast_to(shell.turns[:, None], (m, n))
    along = np.gradient(shell.points, axis=1)
    values = np.concatenate(
        [_sheet_normals(shell), head.unit_rows(along).reshape(-1, 3),
         np.stack([shell.left.ravel(), shell.along.ravel(), turn.ravel()], 1), shell.vertices], 1
    ).astype(np.float32)  # fmt: skip
    xy, z = view.project(shell.vertices)
    visible = rasterise(xy, z, hair.triangles(m, n), canvas, both_sides=True)
    before = visible.depth > depth[visible.pixel] - 0.10
    at = visible.interpolate(values)[before]
    pixel = visible.pixel[before]
    cover, tone = hair.strands(at[:, 6], at[:, 7], at[:, 8], who)
    normal, tangent = camera.turn(at[:, :3], view.axes), camera.turn(at[:, 3:6], view.axes)
    inside = normal[:, 2] < 0  # of the sheet, where little light gets
    normal[inside] *= -1
    colour = linear(hair.COLOURS[who.hair_colour]) * np.exp(0.42 * tone)[:, None]
    reached = np.where(inside, 0.25, 1).astype(np.float32)
    surface = Surface(
        place=at[:, 9:],
        colour=colour.astype(np.float32),
        normal=normal,
        shine=np.zeros(len(at), np.float32),
        open=(0.75 + 0.2 * ramp(-0.6, 0.9, at[:, 10])) * reached,
        lit=0.85 * reached,
    )
    # Strands gleam where they run across the light (after Kajiya and Kay 1989).
    along_light = (tangent * light.halfway.astype(np.float32)).sum(1)
    facing = np.clip((normal * light.towards.astype(np.float32)).sum(1), 0, 1)
    gleam = (1 - np.minimum(along_light**2, 1)) ** 22 * (0.06 + 0.04 * tone).clip(0) * facing * ~inside
    sent = light.on(surface, gleam.astype(np.float32))
    picture[pixel] += cover[:, None] * (sent - picture[pixel])
