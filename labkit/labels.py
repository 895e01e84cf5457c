"""The vocabulary of all labs: what a face can be labelled with, each set of labels once, in the order of its
class indices.

Data sets, built-in faces and tables all take their words from here, so that "happy" is class 3
everywhere.
"""

import unicodedata

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
