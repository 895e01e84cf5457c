"""The table of data sets.

What each holds, its terms, where people get it, how it is read and what a complete copy counts.
data/README.md says the same at more length, with the citations. The built-in faces ("builtin") need no row:
nothing is imported.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from labkit.formats import attributes, ckplus, fer2013, folders, genki4k
from labkit.labels import CK_EMOTIONS, EMOTIONS, HIGH_LEVEL


@dataclass(frozen=True)
class Source:
    """One data set.

    Attributes:
        title, holds, licence, get: text for people.
        layouts: what `reader` accepts, for people.
        sign: a regular expression that some file name of this data set matches, and none of another; `NEVER`
            where the data set has to be named.
        reader: `labkit.formats.archives.Files` -> `labkit.formats.reading.Reading`.
        recognises: `Files` -> whether they are this data set by what is in them, where their names do not
            tell.
        expected: by layout: split ("all" = every image) -> target -> class -> count in the complete data set.
        optional: splits that may be missing.
    """

    title: str
    holds: str
    licence: str
    get: str
    layouts: tuple[str, ...]
    sign: str
    reader: Callable
    recognises: Callable = lambda files: False
    expected: dict[str, dict] = field(default_factory=dict)
    optional: tuple[str, ...] = ()


# What no file name matches: sets of attributes are recognised as "attributes", and have names of their own
# only so that two of them can be imported beside each other.
NEVER = r"(?!)"


def _emotions(*counts):
    return {"emotion": dict(zip(EMOTIONS, counts))}


FER_COUNTS = {
    "train": _emotions(3995, 436, 4097, 7215, 4830, 3171, 4965),
    "public_test": _emotions(467, 56, 496, 895, 653, 415, 607),
    "private_test": _emotions(491, 55, 528, 879, 594, 416, 626),
}

SOURCES = {
    "genki4k": Source(
        title="GENKI-4K",
        holds="4,000 colour photographs of faces from the web: smiling or not, and how the head is turned",
        licence="available for public use, citation asked",
        get="https://inc.ucsd.edu/mplab/398/ (MPLab, UC San Diego): genki4k.tar, 28 MB, no account",
        layouts=(
            "genki4k.tar",
            "folder with files/file0001.jpg ... and labels.txt",
            "the GENKI-R2009a release",
        ),
        sign=r"(^|/)files/file\d+\.jpe?g$",
        reader=genki4k.read,
        expected={"as downloaded": {"all": {"smile": {"not smiling": 1838, "smiling": 2162}}}},
    ),
    "fer2013": Source(
        title="FER2013",
        holds="35,887 grey faces of 48x48 pixels with one of seven emotions, in three official splits",
        licence="the rules of the Kaggle competition, which you accept there; do not pass it on",
        get=(
            "https://www.kaggle.com/c/"
            "challenges-in-representation-learning-facial-expression-recognition-challenge (free account)"
        ),
        layouts=(
            "fer2013.csv, icml_face_data.csv or any table with a column of pixels",
            "train.csv, val.csv and test.csv",
            "folders train|test/<emotion>/Training_1.jpg",
            "any of them zipped",
        ),
        sign=(
            r"(^|/)(fer2013\.csv|icml_face_data\.csv|"
            r"(train|test)/[a-z]+/(Training|PublicTest|PrivateTest)_\d+\.\w+)$"
        ),
        reader=fer2013.read,
        recognises=fer2013.recognises,
        expected={"table": FER_COUNTS, "folders": FER_COUNTS},
        optional=("public_test", "private_test"),
    ),
    "ckplus": Source(
        title="CK+",
        holds=(
            "posed expressions of 123 people: 560 photographs with 15 action units and 3 emotions, "
            "or 981 small faces with 7 emotions"
        ),
        licence="non-commercial research, for those who sign the agreement; do not pass it on",
        get=(
            "https://www.jeffcohn.net/Resources/: a member of staff asks and signs; "
            "data_labels.csv: see data/README.md"
        ),
        layouts=(
            "cohn-kanade-images/S005/001/S005_001_00000011.png ... with data_labels.csv",
            "extended-cohn-kanade-images.zip, Emotion_labels.zip and FACS_labels.zip in one folder",
            "CK+48/anger/S010_004_00000017.png ...",
            "a table with columns emotion and pixels, such as ckextended.csv",
        ),
        sign=r"/S\d{3}_\d{3}_\d{8}\.png$|(^|/)(Emotion|FACS)_labels\.zip$",
        reader=ckplus.read,
        expected={
            "photographs": {"all": {"high_level_emotion": dict(zip(HIGH_LEVEL, (328, 121, 111)))}},
            "CK+48": {"all": {"emotion": dict(zip(CK_EMOTIONS, (135, 54, 177, 75, 207, 84, 249)))}},
        },
    ),
    "attributes": Source(
        title="Face attributes",
        holds="your own annotated photographs, or CelebA's 202,599: wrinkles, freckles, glasses, hair",
        licence="your own: ask the people in them; CelebA: non-commercial research only, do not pass it on",
        get=(
            "annotate your own (notebook 08, or https://www.makesense.ai), "
            "or https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
        ),
        layouts=(
            "own CSV with pictures beside or below it",
            "makesense.ai's CSV or JSON export",
            "list_attr_celeba.txt with img_align_celeba/",
            "attribute_list.csv of people and cartoons",
        ),
        sign=r"(^|/)list_attr_celeba\.(txt|csv)$",
        reader=attributes.read,
        recognises=attributes.recognises,
    ),
    "celeba": Source(
        title="CelebA",
        holds="photographs of 10,177 known people, 202,599 or a part of them, with 40 attributes each",
        licence="non-commercial research only, do not pass it on",
        get="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        layouts=("list_attr_celeba.txt with img_align_celeba/",),
        sign=NEVER,
        reader=attributes.read,
    ),
    "cartoons": Source(
        title="People and cartoons",
        holds="photographs of people, drawn cartoons and pictures without a face, as a course hands them out",
        licence="for teaching, from whoever gives the course; its photographs are CelebA's, under its terms",
        get="from whoever gives the course",
        layouts=("attribute_list.csv (file_name,hair_color,eyeglasses,smiling,young,human) with images/",),
        sign=NEVER,
        reader=attributes.read,
    ),
    "folders": Source(
        title="Your own folders",
        holds="your own pictures, sorted into one folder a class",
        licence="your own: ask the people in them",
        get="sort pictures into folders named as their class",
        layouts=(
            "happy/anna.jpg ... sad/ben.png",
            "smiling/1.jpg ... not smiling/2.jpg",
            "train/happy/1.jpg ... test/sad/2.jpg",
            "the same zipped",
        ),
        sign=r"(^|/)(smiling|not smiling)/[^/]+$",
        reader=folders.read,
    ),
}
