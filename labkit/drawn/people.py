"""Who is drawn: people at random, every group about equally frequent unless other shares are asked for.

Shapes come from MakeHuman's people and features, skin from seven tones in three groups of equal share; hair,
beards and glasses from shares that make every attribute frequent enough to be learnt, which is more even
than any crowd.
"""

from collections.abc import Mapping

import numpy as np

from labkit.drawn import head
from labkit.drawn.parameters import Identity

SKIN_RANGES = {"light": (0.0, 0.30), "medium": (0.40, 0.62), "dark": (0.74, 1.0)}
SHARES: dict[str, dict[str, float]] = {  # of what may be asked for otherwise
    "skin": {"light": 1, "medium": 1, "dark": 1},
    "age": {"young": 0.58, "old": 0.42},
    "sex": {"female": 0.5, "male": 0.5},
    "glasses": {"none": 0.64, "round": 0.16, "square": 0.17, "dark": 0.03},
    "freckles": {"no": 0.68, "yes": 0.32},
    "hair_top": {"hair": 0.60, "bald": 0.10, "hat": 0.18, "scarf": 0.12},
    "beard": {"none": 0.42, "stubble": 0.18, "moustache": 0.1, "goatee": 0.1, "full": 0.2},  # of men
}
SPREAD = {  # standard deviation of a feature, by the beginning of its name; half of them are at rest
    "head": 0.16, "nose": 0.25, "mouth": 0.3, "chin": 0.22, "cheek": 0.3, "eye": 0.22, "ear": 0.3,
    "forehead": 0.2, "eyebrows": 0.2, "neck": 0.2,
}  # fmt: skip
RARE = ("head-scale-depth", "eye-scale", "eye-trans")  # change the framing more than the face
ANCESTRY = {"light": (0.15, 0.9, 2.2), "medium": (0.7, 1.0, 0.7), "dark": (2.6, 0.35, 0.25)}  # Dirichlet
IRISES = {"brown": (72, 46, 28), "light brown": (96, 66, 40), "grey": (86, 110, 130), "blue": (105, 138, 165),
          "green": (92, 112, 78)}  # fmt: skip


def pick(rng, chances: Mapping):
    """One key of `chances`, as likely as its value says."""
    left = rng.random() * sum(chances.values())
    for name, chance in chances.items():
        left -= chance
        if left < 0:
            return name
    return name


def bounded(value, low, high) -> float:
    return float(min(max(value, low), high))


def sometimes(rng, chance, low, high) -> float:
    """With this `chance` a number between `low` and `high`, else 0."""
    return float(rng.uniform(low, high)) if rng.random() < chance else 0.0


def check_shares(shares: Mapping) -> None:
    """Raise ValueError for a group or a class that cannot be asked for."""
    for group, classes in shares.items():
        if group not in SHARES:
            raise ValueError(f"shares: unknown group '{group}', expected names from {', '.join(SHARES)}")
        unknown = set(classes) - set(SHARES[group])
        if unknown or not sum(classes.values()) > 0 or min(classes.values()) < 0:
            expected = f"numbers of 0 or more, not all 0, for {', '.join(SHARES[group])}"
            raise ValueError(f"shares: {group}: expected {expected}, got {dict(classes)}")


def sample_identity(rng: np.random.Generator, shares: Mapping | None = None) -> Identity:
    """One person at random.

    Args:
        rng: what is drawn from.
        shares: group -> class -> how frequent, for groups of `SHARES` that shall not be as they are there.
    """
    of = SHARES | dict(shares or {})
    skin_group, old, masculine = (
        pick(rng, of["skin"]),
        pick(rng, of["age"]) == "old",
        pick(rng, of["sex"]) == "male",
    )
    child = not old and rng.random() < 0.12
    age = rng.uniform(0.55, 1.0) if old else rng.uniform(-0.35, 0.0) if child else rng.uniform(0.0, 0.42)
    skin = rng.uniform(*SKIN_RANGES[skin_group])
    wrinkled = rng.random() < (0.85 if old else 0.06)
    how_masculine = rng.uniform(0.75, 1.0) if masculine else rng.uniform(0.0, 0.25)
    beard = pick(rng, of["beard"]) if masculine and not child else "none"
    hair = _hair(rng, of, old, masculine, skin)
    return Identity(
        masculine=how_masculine,
        age=age,
        weight=bounded(rng.normal(0, 0.45), -1, 1),
        ancestry=tuple(rng.dirichlet(ANCESTRY[skin_group]).tolist()),
        features=_features(rng),
        skin=skin,
        blush=rng.uniform(0.1, 0.8),
        gloss=rng.uniform(0.0, 0.8),
        wrinkles=rng.uniform(0.45, 0.95) if wrinkled else rng.uniform(0.0, 0.1),
        freckles=rng.uniform(0.35, 1.0) if pick(rng, of["freckles"]) == "yes" else 0.0,
        glasses=pick(rng, of["glasses"]),
        frame_colour=_colour(rng, 10, 120, 20),
        beard="none" if hair["hair_top"] == "scarf" else beard,
        brow_thickness=bounded(rng.normal(1.15 if masculine else 0.82, 0.2), 0.45, 1.7),
        lip_colour=0.0 if masculine else sometimes(rng, 0.5, 0.3, 1.0),
        eye_shadow=0.0 if masculine else sometimes(rng, 0.35, 0.2, 0.8),
        lashes=rng.uniform(0.0, 0.4) if masculine else rng.uniform(0.35, 1.0),
        iris=_iris(rng, skin),
        teeth=rng.uniform(0.2, 1.0),
        seed=int(rng.integers(2**31)),
        **hair,
    )


def _features(rng):
    found = {}
    for name, ends in head.load().features.items():
        if name.startswith(RARE) or rng.random() < 0.5:
            continue
        spread = next(value for start, value in SPREAD.items() if name.startswith(start))
        amount = abs(rng.normal(0, spread)) * rng.choice(list(ends))
        found[name] = bounded(amount, -0.9, 0.9)
    return found


def _hair(rng, of, old, masculine, skin):
    hair_top = pick(rng, _of_sex(of["hair_top"], masculine))
    grey = 0.9 if old else 0.02
    if skin < 0.35:
        colours = {"black": 0.26, "blond": 0.26, "brown": 0.48, "grey": grey}
    else:
        colours = {"black": 0.70, "blond": 0.06, "brown": 0.24, "grey": grey}
    colour = pick(rng, colours)
    if masculine:
        styles = {
            "short": 0.62,
            "fringe": 0.06,
            "parted": 0.10,
            "curly": 0.15,
            "receding": 0.08,
            "long": 0.04,
        }
        if old:
            styles["receding"] = 0.45
    else:
        styles = {"short": 0.12, "fringe": 0.2, "parted": 0.18, "curly": 0.2, "long": 0.45}
    return {
        "hair_top": hair_top,
        "hair_colour": "bald" if hair_top == "bald" else colour,
        "hair_style": pick(rng, styles),
        "hairline": rng.uniform(0.1, 1.0),
        "hat": pick(rng, {"beanie": 0.4, "cap": 0.4, "brim": 0.2}),
        "hat_colour": _colour(rng, 25, 210, 36),
    }


def _of_sex(tops, masculine):
    """Scarves are mostly women's, bald heads mostly men's; over both the shares stay."""
    lean = {"scarf": 0.3, "bald": 1.55} if masculine else {"scarf": 1.7, "bald": 0.45}
    return {name: share * lean.get(name, 1.0) for name, share in tops.items()}


def _colour(rng, low, high, spread):
    return tuple(int(v) for v in np.clip(rng.uniform(low, high) + rng.normal(0, spread, 3), 10, 240))


def _iris(rng, skin):
    fair = {"brown": 0.3, "light brown": 0.3, "grey": 0.15, "blue": 0.15, "green": 0.1}
    middle = IRISES[pick(rng, fair if skin < 0.35 else {"brown": 0.67, "light brown": 0.33})]
    return tuple(int(v) for v in np.clip(np.array(middle) + rng.normal(0, 8, 3), 15, 220))
