"""What is worn on the head: hair, hats, scarves. Each is a shell around the skull: a sheet of meridians from
the crown down to where it ends.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from labkit.drawn.head import load
from labkit.drawn.surface import grain, linear, ramp, sampled

COLOURS = {  # RGB; "bald" has the colour of what is left around the ears
    "black": (30, 25, 24),
    "blond": (205, 165, 100),
    "brown": (88, 56, 36),
    "grey": (172, 170, 168),
    "bald": (96, 84, 76),
}
CENTRE = np.array([0.0, 0.42, -1.10], np.float32)  # of the skull
TURNS = np.radians(np.linspace(-156, 156, 53))  # of the meridians: 0 front, positive right in the picture
RISES = np.radians(np.linspace(90, -24, 20))  # of the points of the skull on each of them
ROWS = 26  # points of a meridian of hair
RADIAN = 1.28  # eye distances a radian along the skull


@dataclass(frozen=True)
class Shell:
    """A sheet of points.

    Attributes:
        points: float32 (M, N, 3), eye distances: M meridians from left to right, N points from the crown
            down.
        turns: float32 (M,), of the meridians, degrees.
        left: float32 (M, N), how far it still is to the end of the sheet, eye distances.
        along: float32 (M, N), how far it is from the crown.
    """

    points: np.ndarray
    turns: np.ndarray
    left: np.ndarray
    along: np.ndarray

    @property
    def vertices(self) -> np.ndarray:
        return self.points.reshape(-1, 3)


@cache
def triangles(m: int, n: int) -> np.ndarray:
    """Triangles of a sheet of (m, n) points, seen from outside: int64 (T, 3)."""
    first = np.arange(m * n).reshape(m, n)
    a, b, c, d = first[:-1, :-1], first[:-1, 1:], first[1:, :-1], first[1:, 1:]
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([c, b, d], -1).reshape(-1, 3)])


@cache
def _skull_nodes():
    """For each meridian and rise, the four vertices of the head that are nearest in direction, and their
    shares: int (M, R, 4), float32 (M, R, 4)."""
    head = load()
    flesh = np.unique(head.triangles[head.part == 0])
    towards = head.mean - CENTRE
    distance = np.sqrt((towards**2).sum(1, keepdims=True))
    outer = (head.masks["ears"] < 0.3) & (head.mean[:, 1] > -0.6) & (distance[:, 0] > 0.9)
    bone = flesh[outer[flesh]]
    angles = (towards[bone] / distance[bone]) @ _directions().reshape(-1, 3).T.astype(np.float32)
    nearest = np.argsort(-angles, axis=0)[:4]
    apart = np.maximum(1 - np.take_along_axis(angles, nearest, 0), 1e-5)
    shares = (1 / apart) / (1 / apart).sum(0)
    shape = (4, len(TURNS), len(RISES))
    nodes, shares = (np.moveaxis(values.reshape(shape), 0, -1) for values in (bone[nearest], shares))
    return nodes, shares.astype(np.float32)


def _directions() -> np.ndarray:
    turn, rise = TURNS[:, None], RISES[None]
    return np.stack(
        [np.sin(turn) * np.cos(rise), np.sin(rise) + 0 * turn, np.cos(turn) * np.cos(rise)], -1
    ).astype(np.float32)


def skull(vertices) -> np.ndarray:
    """The skull of a person at each meridian and rise, float32 (M, R, 3)."""
    nodes, shares = _skull_nodes()
    distance = np.sqrt(((vertices - CENTRE) ** 2).sum(1))
    return CENTRE + _directions() * (distance[nodes] * shares).sum(-1)[..., None]


def shell(turns, bone, ends, thick, hang=None, flare=0.0) -> Shell:
    """A sheet over the skull.

    Args:
        turns: float (M,), of the meridians, radians.
        bone: the skull there, as `skull` gives it.
        ends: float (M,), the rise in degrees where the skull part of each meridian ends.
        thick: float (M, rows), how far above the skull each point lies.
        hang: float (M,), how far it hangs down from there, eye distances.
        flare: by how much it is wider at the end of what hangs.
    """
    hang = np.zeros(len(ends)) if hang is None else hang
    over = np.radians(90 - ends) * RADIAN  # length on the skull
    share = np.linspace(0, 1, np.shape(thick)[1])
    along = share[None] * (over + hang)[:, None]
    rise = np.radians(90) - np.minimum(along, over[:, None]) / RADIAN
    where = np.clip((RISES[0] - rise) / (RISES[0] - RISES[1]), 0, len(RISES) - 1.001)
    low = where.astype(int)
    part = (where - low)[..., None]
    rows_of = np.arange(len(ends))[:, None]
    on = bone[rows_of, low] * (1 - part) + bone[rows_of, low + 1] * part
    outward = on - CENTRE
    outward[..., 1] *= 0.6
    outward /= np.sqrt((outward**2).sum(-1, keepdims=True))
    points = on + outward * np.asarray(thick)[..., None]
    below = np.maximum(along - over[:, None], 0)
    points[..., 1] -= below
    wider = 1 + flare * below / np.maximum(hang[:, None], 1e-6)
    points[..., 0] *= wider
    points[..., 2] = CENTRE[2] + (points[..., 2] - CENTRE[2]) * wider
    left = (1 - share)[None] * (over + hang)[:, None]
    degrees = np.degrees(turns).astype(np.float32)
    return Shell(points.astype(np.float32), degrees, left.astype(np.float32), along.astype(np.float32))


# How high the front hairline lies (degrees of rise), thickness on top and at the sides, how far the sides
# hang down, how rough it is.
STYLES = {
    "short": {"front": 20, "top": 0.15, "sides": 0.07, "hang": 0.0, "rough": 0.25},
    "receding": {"front": 32, "top": 0.07, "sides": 0.07, "hang": 0.0, "rough": 0.2},
    "curly": {"front": 13, "top": 0.36, "sides": 0.30, "hang": 0.2, "rough": 0.35},
    "fringe": {"front": 14, "top": 0.16, "sides": 0.26, "hang": 0.9, "rough": 0.15},
    "parted": {"front": 16, "top": 0.18, "sides": 0.24, "hang": 0.75, "rough": 0.15},
    "long": {"front": 16, "top": 0.16, "sides": 0.27, "hang": 2.3, "rough": 0.15},
}
SIDEBURN, NAPE = -8, -24  # degrees of rise


def hairline(turn, who) -> np.ndarray:
    """The rise, in degrees, at which hair begins to grow at each turn (degrees, 0 in front)."""
    style = STYLES[who.hair_style]
    front = style["front"] + 14 * (who.hairline - 0.4)
    recede = (11 if who.masculine > 0.5 else 4) + (16 if who.hair_style == "receding" else 0)
    turn = np.abs(turn)
    return np.interp(
        turn,
        [0, 22, 42, 56, 68, 80, 88, 108, 124, 156],
        [front, front + 1, front + recede, front - 4, 4, SIDEBURN, SIDEBURN + 2, 4, NAPE, NAPE],
    )


def hair(bone, who) -> tuple[Shell, ...]:
    """The hair of a person, innermost first: what hangs beside the face, and the cap; () where none is to be
    seen."""
    if who.hair_top in ("bald", "scarf"):
        return ()
    style, random = STYLES[who.hair_style], np.random.default_rng([who.seed, 1])
    turn = np.degrees(TURNS)
    longer, opening = random.uniform(0.75, 1.3), random.uniform(54, 74)
    full = random.uniform(0.7, 1.3) * (0.25 if who.hair_top == "hat" else 1.0)
    share = np.linspace(0, 1, ROWS)[None]
    sides = ramp(40, 85, np.abs(turn))[:, None] * ramp(0.25, 0.7, share)
    thick = (style["top"] + (style["sides"] - style["top"]) * sides) * full
    if who.hair_style == "parted":
        part = 20 * random.choice([-1, 1])
        thick = thick + (0.10 * ramp(0, 26, np.abs(turn - part)) - 0.09)[:, None] * ramp(0.95, 0.4, share)
    lock_x, lock_y = np.broadcast_arrays(turn[:, None] * 0.9 + who.seed % 200, share * 30)
    locks = sampled(grain("coarse"), lock_x.ravel(), lock_y.ravel()).reshape(thick.shape)
    thick = thick * (1 + style["rough"] * locks.clip(-1.2, 1.2))
    ends = hairline(turn, who)
    if who.hair_style == "fringe":
        low = random.uniform(-3, 7) + 4 * np.sin(turn / 9 + random.uniform(0, 6))
        ends = np.where(np.abs(turn) < 62, np.minimum(ends, low), ends)
    thick = thick * (1 - 0.55 * ramp(0.55, 1.0, share)) + 0.025
    cap = shell(TURNS, bone, ends, thick, np.full(len(turn), 0.05))
    if style["hang"] < 0.3:
        return (cap,)
    of_curtain = opening, style["hang"] * longer, style["sides"] * full, random.uniform(-0.06, 0.10)
    return _curtain(bone, -1, *of_curtain), _curtain(bone, 1, *of_curtain), cap


def _curtain(bone, side, opening, hang, thick, flare) -> Shell:
    """Long hair on one side of the face, from above the temple down."""
    kept = np.flatnonzero(side * np.degrees(TURNS) >= opening - 6)
    share = np.linspace(0, 1, ROWS)[None]
    bulge = thick * (0.35 + 0.65 * ramp(0.0, 0.5, share)) + 0.03
    n = len(kept)
    sheet = shell(
        TURNS[kept], bone[kept], np.full(n, -6.0), np.broadcast_to(bulge, (n, ROWS)), np.full(n, hang), flare
    )
    edge = (np.abs(np.degrees(TURNS[kept])) - (opening - 6)) * np.radians(RADIAN)  # it also ends there
    return replace(sheet, left=np.minimum(sheet.left, edge[:, None].astype(np.float32)))


def worn(bone, who) -> list[Shell]:
    """The shells of a hat or a scarf."""
    turn = np.degrees(TURNS)
    if who.hair_top == "hat":
        return _hat(bone, who, turn)
    if who.hair_top == "scarf":
        return _scarf(bone, who, turn)
    return []


def _hat(bone, who, turn):
    random = np.random.default_rng([who.seed, 2])
    rim = random.uniform(5, 13)
    slope = {"beanie": 14, "cap": 8, "brim": 6}[who.hat]
    ends = rim - slope * ramp(30, 150, np.abs(turn))
    share = np.linspace(0, 1, 26)[None]
    high = {"beanie": 0.22, "cap": 0.2, "brim": 0.38}[who.hat] * random.uniform(0.85, 1.25)
    thick = np.broadcast_to(0.17 + high * ramp(0.95, 0.15, share), (len(turn), 26)).copy()
    if who.hat == "beanie":
        thick += 0.05 * ramp(0.80, 0.84, share)  # the fold
    crown = shell(TURNS, bone, ends, thick)
    if who.hat == "beanie":
        return [crown]
    # The brim: from the lower edge of the crown outward, all around or in front only.
    edge = crown.points[:, -1]
    outward = edge - CENTRE
    outward[:, 1] = 0
    outward /= np.sqrt((outward**2).sum(1, keepdims=True))
    wide = 0.75 * ramp(75, 30, np.abs(turn)) if who.hat == "cap" else np.full(len(turn), 0.55)
    out = np.linspace(0, 1, 6)[None, :, None]
    points = edge[:, None] + outward[:, None] * (out * wide[:, None, None])
    droop = 0.16 if who.hat == "brim" else 0.24
    points[..., 1] -= (
        droop * (out[..., 0] * wide[:, None]) * (1.0 if who.hat == "cap" else np.sin(out[..., 0] * 3))
    )
    flat = np.zeros(points.shape[:2], np.float32)
    return [crown, Shell(points.astype(np.float32), crown.turns, flat + 1, flat)]


def _scarf(bone, who, turn):
    random = np.random.default_rng([who.seed, 2])
    opening = random.uniform(47, 55)
    beside = ramp(opening - 14, opening + 10, np.abs(turn))
    ends = 13 + random.uniform(-4, 5) + (-24 - 13) * beside
    share = np.linspace(0, 1, 30)[None]
    folds = 0.02 * np.sin(turn[:, None] / 6 + 5 * share + who.seed % 9)
    thick = 0.13 + 0.05 * ramp(0.9, 0.4, share) + folds * ramp(0.3, 0.8, share)
    hood = shell(TURNS, bone, ends, thick, 2.2 * beside)
    points = hood.points.copy()
    # Below the cheeks it closes towards the chin.
    closing = ramp(-0.3, -1.35, points[..., 1]) * ramp(115, 40, np.abs(turn))[:, None]
    points[..., 0] *= 1 - 0.50 * closing
    around = np.radians(np.linspace(-125, 125, len(turn)))[:, None]
    down = np.linspace(0, 1, 10)[None]
    radius = 0.86 + 0.75 * down**1.4 + 0.05 * np.sin(9 * around + 6 * down)
    neck = np.stack([radius * np.sin(around), -1.56 - 1.6 * down + 0.30 * np.abs(np.sin(around)) + 0 * around,
                     -0.95 + radius * 0.98 * np.cos(around)], -1)  # fmt: skip
    flat = np.ones(neck.shape[:2], np.float32)
    return [
        Shell(points, hood.turns, hood.left, hood.along),
        Shell(neck.astype(np.float32), hood.turns, flat, flat * down.astype(np.float32)),
    ]


def strands(left, along, turn, who):
    """How much of each pixel hair covers, and its light and dark strands.

    Args:
        left, along: float32 (P,), as in `Shell`.
        turn: float32 (P,), of the meridian, degrees.
    Returns:
        float32 (P,) 0 to 1, and float32 (P,) about -2 to 2.
    """
    curly = who.hair_style == "curly"
    across, down = (2.6, 26) if curly else (3.4, 5)
    if who.hair_style in ("short", "receding"):
        across, down = 3.0, 12
    fine = sampled(grain("fine"), turn * across + who.seed % 91, along * down)
    locks = sampled(grain("coarse"), turn * 0.8 + who.seed % 57, along * (9 if curly else 2.5) + 3)
    ragged = 0.22 if who.hair_style != "fringe" else 0.1
    cover = ramp(-0.02, ragged, left + 0.07 * fine + 0.05 * locks - 0.01)
    return cover, 0.75 * fine + 0.45 * locks


def rise_and_turn(place):
    """Rise and turn, in degrees, of places on the mean head, float32 (P,) each."""
    x, y, z = (place - CENTRE).T
    flat = np.sqrt(x * x + z * z)
    return np.degrees(np.arctan2(y, flat)), np.degrees(np.arctan2(x, z))


def roots(surface, who):
    """The hair's roots on the scalp, and the shadow that hair or hat throws on the forehead."""
    rise, turn = rise_and_turn(surface.place)
    scalp = (surface.place[:, 1] > -0.35) & (surface.place[:, 2] < 0.35)
    colour = linear(COLOURS[who.hair_colour])
    if who.hair_top == "bald":
        shaved = ramp(-4, 8, rise - hairline(turn, who)) * scalp * 0.16
        surface.mix(shaved.astype(np.float32), colour)
        return
    if who.hair_top == "scarf":  # it clings to cheeks and neck that stand out of it
        beside, below = ramp(45, 49, np.abs(turn)), ramp(-1.68, -1.74, surface.place[:, 1])
        surface.mix(np.maximum(beside, below), cloth(surface.place, who), shine=0.0)
    above = rise - hairline(turn, who)
    if who.hair_top == "hair":
        surface.mix((0.85 * ramp(0, 7, above) * scalp).astype(np.float32), colour * 0.8, shine=0.02)
    shadow = 1 - 0.35 * ramp(-13, 1, above if who.hair_top == "hair" else rise - 8) * scalp
    surface.open *= shadow
    surface.lit *= shadow


def cloth(place, who):
    """The colour of a hat or scarf: float32 (P, 3)."""
    x, y, z = place.T
    turn = np.degrees(np.arctan2(x, z - CENTRE[2]))
    if who.hair_top == "hat" and who.hat == "beanie":
        weave = 0.16 * np.sin(turn * 1.1) + 0.06 * sampled(grain("fine"), turn * 4, y * 60)
    else:
        weave = 0.06 * sampled(grain("blotches"), turn * 2 + 40, y * 40) + 0.05 * sampled(
            grain("coarse"), turn, y * 9
        )
    if who.seed % 3 == 0:  # a pattern
        weave = weave + 0.28 * (np.sin(turn * 0.35 + 3 * y) * np.sin(y * 11 + who.seed % 5) > 0.55)
    return linear(who.hat_colour) * (1 + weave)[:, None].astype(np.float32)
