"""What a picture shows at random: an expression, a pose, light, camera.

Emotions are made from their usual action units. Between them lies what faces do most of the time: speech,
pressed lips, half smiles. How often things happen was set while looking at one half of GENKI-4K's
photographs.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from labkit.drawn.parameters import FaceParameters
from labkit.drawn.people import bounded, pick, sample_identity, sometimes
from labkit.labels import EMOTIONS

MIXED = "mixed"  # action units that make no basic emotion
CODED = 0.2  # from this intensity on an action unit counts as present: trace movements are not coded
SMILE = (
    0.30  # from this intensity of AU12 on, in the middle of A of the letters A to E, a face counts as smiling
)

# Usual action units of each emotion at full strength, after EMFACS (Friesen and Ekman 1983); a row a variant.
# The last two of sadness weep, which EMFACS leaves out and photographs do not.
PROTOTYPES = {
    "angry": (
        {"AU4": 1.0, "AU7": 0.8, "AU23": 0.9, "AU24": 0.5, "AU17": 0.4},
        {"AU4": 1.0, "AU7": 0.8, "AU23": 0.7, "AU24": 0.9},
        {"AU4": 1.0, "AU7": 0.6, "AU5": 0.4, "AU10": 0.6, "AU25": 0.8, "AU16": 0.7, "AU26": 0.3},
        {"AU4": 1.0, "AU7": 0.7, "AU9": 0.3, "AU10": 0.7, "AU25": 0.9, "AU16": 0.5, "AU27": 0.5},
    ),
    "disgust": (
        {"AU9": 1.0, "AU10": 0.7, "AU4": 0.5, "AU7": 0.7, "AU17": 0.6, "AU11": 0.5},
        {"AU9": 0.9, "AU10": 1.0, "AU4": 0.4, "AU7": 0.6, "AU25": 0.7, "AU11": 0.5, "AU6": 0.4},
    ),
    "fear": (
        {"AU1": 1.0, "AU2": 0.6, "AU4": 0.7, "AU5": 1.0, "AU20": 0.9, "AU25": 0.8},
        {"AU1": 1.0, "AU4": 0.6, "AU5": 0.9, "AU20": 0.7, "AU25": 0.8, "AU26": 0.5},
    ),
    "happy": (
        {"AU12": 1.0, "AU6": 0.9, "AU25": 0.9},
        {"AU12": 0.9, "AU6": 0.8, "AU25": 0.9, "AU26": 0.5},
        {"AU12": 0.9, "AU6": 0.6},
        {"AU12": 0.8, "AU25": 0.7},
    ),
    "sad": (
        {"AU1": 1.0, "AU4": 0.7, "AU15": 1.0, "AU17": 0.5},
        {"AU1": 0.8, "AU4": 0.4, "AU15": 0.9, "AU11": 0.5},
        {"AU1": 0.9, "AU4": 0.5, "AU15": 1.0, "AU17": 0.8, "AU6": 0.3},
        {"AU1": 1.0, "AU4": 0.8, "AU25": 0.5, "AU11": 0.4},
        {"AU1": 0.7, "AU4": 0.8, "AU6": 0.7, "AU15": 0.8, "AU20": 0.6, "AU25": 0.8, "AU10": 0.3},
        {"AU4": 1.0, "AU7": 0.9, "AU6": 0.7, "AU15": 0.7, "AU10": 0.6, "AU25": 0.9, "AU26": 0.4},
    ),
    "surprise": (
        {"AU1": 1.0, "AU2": 1.0, "AU5": 0.8, "AU25": 0.9, "AU26": 0.9},
        {"AU1": 1.0, "AU2": 1.0, "AU5": 1.0, "AU25": 1.0, "AU27": 0.9},
    ),
    "neutral": ({},),
}
SHARES = {"happy": 0.20, MIXED: 0.38} | {name: 0.07 for name in EMOTIONS if name != "happy"}
OTHERWISE = {  # what faces do that neither smile nor show an emotion
    "rest": 0.44, "speech": 0.17, "open": 0.06, "down": 0.10, "press": 0.10, "pucker": 0.05, "stretch": 0.02,
    "dimple": 0.03, "random": 0.03,
}  # fmt: skip


def sample_emotion(rng: np.random.Generator) -> str:
    """One of EMOTIONS, or "mixed": action units that make no basic emotion."""
    return pick(rng, SHARES)


def sample(rng: np.random.Generator, identity=None, emotion: str | None = None) -> FaceParameters:
    """The parameters of one picture at random.

    Args:
        identity: who is in the picture; None = a person at random.
        emotion: what it shows, one of EMOTIONS or "mixed"; None = one at random.

    Raises:
        ValueError: where the emotion is another.
    """
    who = identity or sample_identity(rng)
    emotion = emotion or sample_emotion(rng)
    if emotion not in SHARES:
        raise ValueError(f"emotion: expected one of {', '.join(SHARES)}, got '{emotion}'")
    turn = rng.normal(0, 1, 3)
    base = rng.uniform(10, 205)
    tints = np.clip(base + rng.normal(0, 18, (2, 3)) + rng.normal(0, 30, (2, 1)), 0, 255).astype(int)
    return FaceParameters(
        identity=who,
        action_units=sample_units(rng, emotion),
        asymmetry=bounded(rng.normal(0, 0.35), -1, 1),
        gaze=tuple(np.clip(rng.normal(0, 0.35, 2), -1, 1).tolist()),
        yaw=bounded(0.20 * turn[0], -0.7, 0.7),
        pitch=bounded(0.11 * turn[1], -0.4, 0.4),
        roll=bounded(0.05 * turn[2], -0.2, 0.2),
        zoom=float(np.exp(rng.normal(0, 0.05))),
        shift=tuple(rng.normal(0, 0.015, 2).tolist()),
        distance=float(np.exp(rng.uniform(np.log(7), np.log(25)))),
        background=tuple(tuple(row) for row in tints.tolist()),
        clothes=tuple(np.clip(rng.uniform(10, 240) + rng.normal(0, 30, 3), 0, 255).astype(int).tolist()),
        occlusion=sometimes(rng, 0.05, 0.1, 0.35),
        seed=int(rng.integers(2**31)),
        **_light(rng),
        **_camera(rng),
    )


def _light(rng):
    azimuth, elevation = rng.normal(0, 0.75), rng.normal(0.45, 0.4)
    if rng.random() < 0.45:  # a flash, or light from where the camera is
        azimuth, elevation = rng.normal(0, 0.25), rng.normal(0.2, 0.2)
    light = np.array([np.sin(azimuth) * np.cos(elevation), -np.sin(elevation)])
    light *= min(1.0, 0.97 / np.sqrt((light**2).sum()))
    return {
        "light": tuple(light.tolist()),
        "contrast": rng.uniform(0.1, 1.0),
        "softness": rng.uniform(0.0, 1.0),
        "exposure": float(np.exp(rng.normal(0, 0.25))),
        "warmth": rng.normal(0, 0.5),
    }


def _camera(rng):
    return {
        "saturation": bounded(rng.normal(0.95, 0.22), 0.2, 1.6),
        "steepness": bounded(rng.normal(0.08, 0.18), -0.3, 0.6),
        "blur": sometimes(rng, 0.3, 0.3, 0.8),
        "noise": sometimes(rng, 0.5, 1, 5),
        "resolution": 1 / rng.uniform(1.0, 1.7) if rng.random() < 0.2 else 1.0,
        "jpeg": int(rng.integers(25, 96)) if rng.random() < 0.6 else 100,
        "grey": bool(rng.random() < 0.08),
    }


def sample_units(rng: np.random.Generator, emotion: str) -> dict[str, float]:
    """Intensities of the action units that show `emotion`, subtle or strong, varied as people vary."""
    units = {}
    for name in ("AU1", "AU2", "AU4", "AU7", "AU12", "AU15"):
        if rng.random() < 0.15:
            units[name] = rng.uniform(0.02, 0.12)
    if emotion == MIXED:
        units |= _smiling(rng) if rng.random() < 0.72 else _otherwise(rng)
        return {name: bounded(value, 0, 1) for name, value in units.items()}
    variants = PROTOTYPES[emotion]
    strong = rng.beta(2.4, 1.2)  # 0 subtle to 1 full
    for name, full in variants[rng.integers(len(variants))].items():
        if full > 0.6 or rng.random() < 0.75:
            least = SMILE + 0.06 if name == "AU12" else CODED + 0.06
            units[name] = bounded(full * (0.6 + 0.4 * strong) * rng.uniform(0.8, 1.15), least, 1)
    if emotion == "happy" and rng.random() < 0.15:
        units["AU14"] = rng.uniform(0.4, 1.0)
    if emotion in ("neutral", "angry", "sad") and rng.random() < 0.06:
        units["AU43"] = rng.uniform(0.4, 1.0)
    if emotion == "neutral":
        units |= _at_rest(rng)
    return {name: float(value) for name, value in units.items()}


def _at_rest(rng):
    """What a face without emotion does: speak now and then, and hardly anything else."""
    units = {}
    if rng.random() < 0.15:
        units["AU25"] = rng.uniform(0.25, 0.7)
        if rng.random() < 0.4:
            units["AU26"] = rng.uniform(0.2, 0.45)
    elif rng.random() < 0.4:
        units[str(rng.choice(["AU2", "AU4", "AU7", "AU12", "AU15", "AU17", "AU24"]))] = rng.uniform(0.1, 0.3)
    if "AU12" in units:
        units["AU12"] = min(units["AU12"], SMILE - 0.04)
    return units


def _smiling(rng):
    """One of the many smiles: closed, toothy, wide, with dimples, with whatever else the face does."""
    units = _brows(rng)
    strength = bounded(0.32 + 0.72 * rng.beta(1.35, 1.6), SMILE + 0.03, 1)
    units["AU12"] = strength
    if rng.random() < 0.8:
        units["AU6"] = min(1, strength * rng.uniform(0.3, 1.1))
    if rng.random() < 0.85:  # teeth, also in slight smiles
        units["AU25"] = rng.uniform(0.4, 1.0)
        if rng.random() < 0.4:
            units["AU26"] = rng.uniform(0.1, 0.7)
        if rng.random() < 0.4:
            units["AU10"] = rng.uniform(0.1, 0.6)
        if rng.random() < 0.25:
            units["AU16"] = rng.uniform(0.1, 0.4)
    for name, chance, low, high in (
        ("AU20", 0.3, 0.2, 0.6), ("AU14", 0.2, 0.25, 0.8), ("AU17", 0.12, 0.2, 0.5), ("AU24", 0.1, 0.2, 0.4)
    ):  # fmt: skip
        if rng.random() < chance:
            units[name] = rng.uniform(low, high)
    return units


def _otherwise(rng):
    """Anything but a smile; now and then the trace of one."""
    units, kind = _brows(rng), pick(rng, OTHERWISE)
    if kind == "speech":
        units["AU25"] = rng.uniform(0.25, 0.8)
        units |= {name: rng.uniform(0.2, 0.5) for name in ("AU26", "AU22") if rng.random() < 0.5}
    elif kind == "open":
        units |= {"AU25": rng.uniform(0.4, 1), rng.choice(["AU26", "AU27"]): rng.uniform(0.5, 1)}
    elif kind == "down":
        units["AU15"] = rng.uniform(0.3, 1)
    elif kind == "press":
        units[str(rng.choice(["AU23", "AU24", "AU28"]))] = rng.uniform(0.35, 1)
    elif kind == "pucker":
        units[str(rng.choice(["AU18", "AU22"]))] = rng.uniform(0.3, 0.9)
    elif kind == "stretch":
        units |= {"AU20": rng.uniform(0.3, 1), "AU25": rng.uniform(0.3, 0.8)}
    elif kind == "dimple":
        units["AU14"] = rng.uniform(0.3, 0.8)
    elif kind == "random":
        names = ["AU9", "AU10", "AU11", "AU15", "AU16", "AU17", "AU20", "AU23", "AU25", "AU26"]
        units |= {str(name): rng.uniform(0.25, 0.7) for name in rng.choice(names, 3, replace=False)}
    if kind in ("rest", "down", "press", "random") and rng.random() < 0.3:
        units["AU17"] = rng.uniform(0.25, 0.9)
    if kind not in ("pucker", "random") and rng.random() < 0.4:
        units["AU12"] = rng.uniform(0.0, SMILE - 0.04)
    if rng.random() < 0.1:
        units["AU11"] = rng.uniform(0.3, 1)
    return {str(name): value for name, value in units.items()}


def _brows(rng):
    units = {name: rng.uniform(0.2, 0.8) for name in ("AU1", "AU2", "AU4", "AU5") if rng.random() < 0.15}
    if rng.random() < 0.06:
        units["AU43"] = rng.uniform(0.4, 1)
    elif rng.random() < 0.3:
        units["AU7"] = rng.uniform(0, 0.5)
    return units


def _plain_skin(p):
    return _of(p, freckles=0.0, blush=0.3, gloss=0.2, wrinkles=0.0, eye_shadow=0.0, lip_colour=0.0)


def _of(p, **changes):
    return replace(p, identity=replace(p.identity, **changes))


def _clear_smiles(p):
    strength = p.action_units.get("AU12", 0.0)
    clear = max(strength, 0.6) if strength >= SMILE else 0.0
    return replace(p, action_units=p.action_units | {"AU12": clear})


# What pictures can be drawn without, to see what it is worth: name -> parameters as they are without it.
INGREDIENTS: dict[str, Callable[[FaceParameters], FaceParameters]] = {
    "teeth": lambda p: replace(p, mouth_light=0.0),
    "furrows": lambda p: replace(p, furrows=0.0),
    "hair": lambda p: _of(p, hair_top="bald", beard="none"),
    "skin": _plain_skin,
    "shapes": lambda p: _of(
        p, features={}, weight=0.0, ancestry=(1 / 3, 1 / 3, 1 / 3), masculine=0.5, age=0.1
    ),
    "light": lambda p: replace(p, light=(-0.3, -0.4), contrast=0.5, softness=0.5, exposure=1.0, warmth=0.0),
    "camera": lambda p: replace(
        p, blur=0.0, noise=0.0, resolution=1.0, jpeg=100, grey=False, saturation=1.0, steepness=0.0
    ),
    "pose": lambda p: replace(p, yaw=0.0, pitch=0.0, roll=0.0, zoom=1.0, shift=(0.0, 0.0), distance=14.0),
    "slight smiles": _clear_smiles,
}


def without(parameters: FaceParameters, ingredients: Sequence[str]) -> FaceParameters:
    """A picture without some of `INGREDIENTS`. Raises ValueError for a name that is none of them."""
    for name in ingredients:
        if name not in INGREDIENTS:
            raise ValueError(f"without: unknown '{name}', expected names from {', '.join(INGREDIENTS)}")
        parameters = INGREDIENTS[name](parameters)
    return parameters
