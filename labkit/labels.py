"""The vocabulary of all labs: what a face can be labelled with, each set of labels once, in the order of its
class indices.

Data sets, built-in faces and tables all take their words from here, so that "happy" is class 3
everywhere. `Task` is what is asked of pictures where somebody labels them, and may have words of its own.
"""

import json
import tomllib
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

SMILES = ("not smiling", "smiling")
KINDS = ("person", "cartoon", "no face")  # what a picture shows
POSES = ("frontal", "turned")
NO_YES = ("no", "yes")

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # FER2013's codes 0 to 6
CK_EMOTIONS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")  # folders of CK+48
HIGH_LEVEL = ("negative", "positive", "surprise")  # the three of the published action-unit report
HIGH_LEVEL_OF = {  # neutral has none
    **dict.fromkeys(("angry", "anger", "contempt", "disgust", "fear", "sad", "sadness"), "negative"),
    "happy": "positive",
    "surprise": "surprise",
}

# The columns of FER+, in which ten people vote on each picture of FER2013 (Barsoum, Zhang, Canton Ferrer
# and Zhang: Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution,
# 2016).
VOTED = {
    "anger": "angry", "disgust": "disgust", "fear": "fear", "happiness": "happy", "sadness": "sad",
    "surprise": "surprise", "neutral": "neutral", "contempt": "contempt",
}  # fmt: skip
NO_EMOTION = ("unknown", "nf")  # its other two: cannot be told, and not a face
ANOTHER_OPINION = {"emotion_voted": "emotion"}  # labels of another source -> the target that they label again

# Ekman, Friesen and Hager, Facial Action Coding System (2002), in the order of the columns of CK+'s table.
ACTION_UNITS = {
    "AU17": "chin raiser",
    "AU1": "inner brow raiser",
    "AU2": "outer brow raiser",
    "AU25": "lips part",
    "AU27": "mouth stretch",
    "AU4": "brow lowerer",
    "AU7": "lid tightener",
    "AU23": "lip tightener",
    "AU24": "lip pressor",
    "AU6": "cheek raiser",
    "AU12": "lip corner puller",
    "AU15": "lip corner depressor",
    "AU14": "dimpler",
    "AU11": "nasolabial deepener",
    "AU26": "jaw drop",
}
# Drawn but not labelled: the table of CK+ doesn't code these, and without them fear, disgust and surprise
# look wrong.
OTHER_UNITS = {
    "AU5": "upper lid raiser",
    "AU9": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU16": "lower lip depressor",
    "AU18": "lip pucker",
    "AU20": "lip stretcher",
    "AU22": "lip funneler",
    "AU28": "lip suck",
    "AU43": "eyes closed",
}

HAIR_COLOURS = ("black", "blond", "brown", "grey", "bald", "ginger")
HAIR_TOPS = ("hair", "bald", "hat", "scarf")
# Of the attribute lab, each with its classes. Drawn faces have all but the last, and no ginger hair.
ATTRIBUTES = {
    "wrinkles": NO_YES,
    "freckles": NO_YES,
    "glasses": NO_YES,
    "hair_colour": HAIR_COLOURS,
    "hair_top": HAIR_TOPS,
    "not_human": NO_YES,
}
GROUPS = {  # what drawn faces know beside: who is compared when fairness is measured
    "skin": ("light", "medium", "dark"),
    "age": ("young", "old"),
    "sex": ("female", "male"),
    "beard": NO_YES,
}

# How else people write a class; lower case, spaces for "_" and "-".
SYNONYMS = {
    "angry": ("anger", "furious", "mad", "rage"),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy", "joyful", "smiley"),
    "sad": ("sadness", "unhappy", "sorrow"),
    "surprise": ("surprised", "astonished", "amazed"),
    "neutral": ("neutrality", "calm", "none", "no emotion"),
    "contempt": ("contemptuous", "scorn"),
    "smiling": ("smile", "smiles", "smiler"),
    "not smiling": (
        "non smile",
        "no smile",
        "not smile",
        "nonsmile",
        "non smiling",
        "unsmiling",
        "no smiling",
    ),
    "grey": ("gray",),
    "blond": ("blonde",),
    "brown": ("brunette",),
    "ginger": ("red", "red haired", "redhead"),
    "yes": ("true", "y", "1", "ja", "wahr"),
    "no": ("false", "n", "0", "nein", "falsch"),
}
_MEANT = {other: word for word, others in SYNONYMS.items() for other in (word, *others)}


def plain(word: str) -> str:
    """A word as it is compared: in one Unicode form, lower case, single spaces for "_", "-" and runs of
    spaces.

    Example:
        >>> plain(" Non-Smile ")
        'non smile'
    """
    word = unicodedata.normalize("NFC", word).casefold()
    return " ".join(word.replace("_", " ").replace("-", " ").split())


def meant(word: str) -> str:
    """The word that labkit uses for another way of writing it; unknown words come back `plain`.

    Example:
        >>> meant("HAPPINESS"), meant("Non_Smile"), meant("Purple")
        ('happy', 'not smiling', 'purple')
    """
    return _MEANT.get(plain(word), plain(word))


# What is asked of pictures in an annotation or a table of one's own

FLAG = "not_human"
PICTURE = (
    "name",
    "file",
    "filename",
    "file_name",
    "image",
    "image_name",
    "image_path",
    "path",
    "picture",
    "img",
)
TASK = "attributes.toml"  # a task beside a table says which attributes it has
KEYS = {
    "back": "ArrowLeft",
    "next": "ArrowRight",
    "up": "ArrowUp",
    "down": "ArrowDown",
    "skip": "s",
    "unset": "u",
    "flag": "n",
    "zoom": "z",
}


@dataclass(frozen=True)
class Task:
    """What is asked of each picture.

    Attributes:
        attributes: attribute -> its two to nine classes; the first is key 1, the second key 2.
        flag: an attribute of no and yes; yes ends a picture, since there is nothing else to label. "" = none.
        keys: command -> the key that gives it, as browsers name keys.

    Raises:
        ValueError: where these rules are not kept.
    """

    attributes: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(ATTRIBUTES))
    flag: str = FLAG
    keys: dict[str, str] = field(default_factory=lambda: dict(KEYS))

    def __post_init__(self):
        if self.flag and self.attributes.get(self.flag) != NO_YES:
            raise ValueError(f"flag '{self.flag}': expected an attribute with the classes no, yes")
        if not self.asked:
            raise ValueError("attributes: expected at least one beside the flag")
        for name, classes in self.attributes.items():
            if plain(name).replace(" ", "_") in PICTURE:
                raise ValueError(f"attributes: '{name}' is what a table calls the picture; take another name")
            if isinstance(classes, str):
                raise ValueError(f"attributes: {name}: expected a list of classes, got the text '{classes}'")
            if not 2 <= len(set(classes)) == len(classes) <= 9:
                raise ValueError(
                    f"attributes: {name}: expected 2 to 9 different classes, got {list(classes)}"
                )
        if unknown := set(self.keys) - set(KEYS):
            raise ValueError(f"keys: expected {', '.join(KEYS)}, got {', '.join(sorted(unknown))}")
        given = [key for key in self.keys.values() if key]
        if len(set(given)) < len(given) or any(key.isdecimal() for key in given):
            raise ValueError(f"keys: expected a key of its own for each command and no digit, got {given}")

    @property
    def asked(self) -> list[str]:
        """The attributes that are asked one after the other: all but the flag."""
        return [name for name in self.attributes if name != self.flag]


def read_task(file: str | Path | None = None) -> Task:
    """The task of a TOML file: `[attributes]` (name = classes), if need be `flag = "not_human"` above it and
    `[keys]` (command = key) below it; None = the lab's own five attributes and its flag.

    Raises:
        ValueError: where the file is not as said.
        FileNotFoundError: where there is none.
    """
    if file is None:
        return Task()
    try:
        return parse_task(Path(file).read_bytes().decode("utf-8-sig"), file)
    except UnicodeDecodeError:
        raise ValueError(f"{file}: not a text in UTF-8") from None


def parse_task(text: str, where) -> Task:
    """The same of the text of such a file; `where` names it in messages."""
    try:
        given = tomllib.loads(text)
        if unknown := set(given) - {"attributes", "flag", "keys"}:
            raise ValueError(f"expected attributes, flag and keys, got {', '.join(sorted(unknown))}")
        attributes = {
            name: classes if isinstance(classes, str) else tuple(map(str, classes))
            for name, classes in given["attributes"].items()
        }
        flag = given.get("flag", FLAG if attributes.get(FLAG) == NO_YES else "")
        return Task(attributes, flag, KEYS | given.get("keys", {}))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        said = f"no table [{error.args[0]}]" if isinstance(error, KeyError) else error
        raise ValueError(f"{where}: {said}") from None


def task_text(task: Task) -> str:
    """The attributes and the flag of a task as such a file; its keys are a matter of who labels."""
    lines = [f"flag = {json.dumps(task.flag)}", "", "[attributes]"]
    for name, classes in task.attributes.items():
        lines.append(f"{json.dumps(name)} = {json.dumps(list(classes), ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
