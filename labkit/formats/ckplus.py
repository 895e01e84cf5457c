"""CK+: photographs with a table of action units, or the small copy CK+48 with emotions."""

import re
from collections import namedtuple
from dataclasses import replace

import numpy as np

from labkit.faces import UNLABELLED
from labkit.formats import archives, decoding, fer2013
from labkit.formats.reading import Reading, WrongLayout, basenames, exactly, face_of, table_rows
from labkit.labels import ACTION_UNITS, CK_EMOTIONS, HIGH_LEVEL, HIGH_LEVEL_OF, meant

PIXELS = 300  # the size of the published report's crops
SMALL_PIXELS = 48
UNITS = tuple(ACTION_UNITS)  # in the order of CK+'s table
# As CK+'s makers give it out: three archives, and a text a sequence for its emotion and for its action units.
OFFICIAL = re.compile(r"(^|/)(Emotion_labels\.zip|FACS_labels\.zip|S\d{3}_\d{3}_\d{8}_(emotion|facs)\.txt)$")
LABEL = re.compile(r"(?:^|/)(S\d{3})_(\d{3})_(\d{8})_(emotion|facs)\.txt$")
FRAME = re.compile(r"/(S\d{3})_(\d{3})_(\d{8})\.\w+$")
# Of the table: line, subject, sequence, image number, action units (15,), emotion index, and the names that
# its picture may have.
Row = namedtuple("Row", "where subject sequence number units emotion names")


def read(files, track=iter) -> Reading:
    """CK+'s photographs with `data_labels.csv`, or the 48x48 copy CK+48 with or without it.

    The table lies inside the folder or archive, or beside it. Photographs: one a row of the table, grey, the
    face cropped to 300x300. Or CK+ as its makers give it out, pictures and labels each zipped: the last frame
    of each sequence that has a label, at the peak of the expression. Or a table of 48x48 pixels, of which
    nobody knows the subjects, nor the action units.

    Returns:
        A `Reading` with the targets high_level_emotion (negative, positive, surprise) and action_units
        float32 (N, 15), and with subjects (S005, ...). CK+48 also has the target emotion (7 classes, one a
        folder); its action units are those of the row with the same subject and sequence, NaN where the table
        has none. Where no action unit is coded at all, there is no such target.

    Raises:
        WrongLayout: where no picture is named as CK+ names its frames.
        ValueError: where the table or all of its pictures are missing, or a label is none of those above.
            Rows without a picture are left out, and named.
    """
    if any(OFFICIAL.search(name) for name in files.sizes):
        return _ck_official(files.with_archives())
    if fer2013.recognises(files):
        return _ck_pixels(fer2013.read(files, track))
    frames = [name for name in files.ending(*decoding.ENDINGS) if FRAME.search(name)]
    # In CK+ a picture's folder is its sequence's number, in CK+48 its emotion.
    small = [name for name in frames if not name.split("/")[-2].isdecimal()]
    if not frames:
        raise WrongLayout(
            "expected cohn-kanade-images/S005/001/S005_001_00000011.png ... "
            "or CK+48/anger/S010_004_00000017.png ..."
        )
    rows = _ck_rows(files)
    if len(small) == len(frames):
        return _ck_small(files, small, rows)
    if not rows:
        raise ValueError(
            f"{files.path}: data_labels.csv is missing; put it into the folder or archive, or beside it"
        )
    return _ck_photographs(files, {name.split("/")[-1]: name for name in frames}, rows)


def _ck_rows(files):
    """A `Row` for each line of `data_labels.csv`; [] where there is no such table."""
    inside, beside = files.ending("data_labels.csv"), files.path.absolute().parent / "data_labels.csv"
    needed = ["subject", "sequence", "image_index", "filepath", *UNITS, "high_level_emotion"]
    if inside:
        return [_ck_row(where, row) for where, row in table_rows(files, inside[0], needed)]
    if beside.is_file():
        with archives.open_files(beside) as other:
            return [_ck_row(where, row) for where, row in table_rows(other, beside.name, needed)]
    return []


def _ck_row(where, row):
    units = [row[unit.lower()] for unit in UNITS]
    if not set(units) <= {"0", "1", ""}:
        raise ValueError(f"{where}: action units must be 0 or 1, or empty (not coded), got {','.join(units)}")
    subject, emotion = row["subject"], row["high_level_emotion"]
    if emotion not in HIGH_LEVEL:
        raise ValueError(f"{where}: high_level_emotion '{emotion}', expected one of {', '.join(HIGH_LEVEL)}")
    try:
        sequence, number = int(row["sequence"]), int(row["image_index"])
    except ValueError:
        got = f"'{row['sequence']}', '{row['image_index']}'"
        message = f"{where}: sequence and image_index must be whole numbers, got {got}"
        raise ValueError(message) from None
    file = row["filepath"].replace("\\", "/").split("/")[-1]
    names = [file, f"{subject}_{sequence:03d}_{number:08d}.png"]
    units = [float(unit or "nan") for unit in units]
    return Row(where, subject, sequence, number, units, HIGH_LEVEL.index(emotion), names)


def _ck_photographs(files, frames, rows):
    found = [next((frames[name] for name in row.names if name in frames), None) for row in rows]
    lost = {row.names[0]: f"named in {row.where}, is missing" for row, m in zip(rows, found) if m is None}
    rows = [row for row, member in zip(rows, found) if member]
    members = list(filter(None, found))
    if not members:
        name, why = next(iter(lost.items()))
        raise ValueError(f"{files.path}: {name}, {why}, and so are all others")
    return Reading(
        layout="photographs",
        names=basenames(members),
        targets={
            "high_level_emotion": np.array([row.emotion for row in rows], np.int64),
            "action_units": np.array([row.units for row in rows], np.float32),
        },
        classes={"high_level_emotion": HIGH_LEVEL, "action_units": UNITS},
        views={"face": (PIXELS, 1)},
        files=files,
        pictures=np.array(members),
        render=face_of(PIXELS),
        detected=("face",),
        subjects=np.array([row.subject for row in rows]),
        left_out=lost,
    )


def _ck_official(files):
    labels, frames = {}, {}
    for name in files.sizes:
        if match := LABEL.search(name):
            labels.setdefault((match[1], match[2]), {})[match[4]] = name
        elif (match := FRAME.search(name)) and name.lower().endswith(decoding.ENDINGS):
            frames.setdefault((match[1], match[2]), []).append(name)
    emotions, strengths, members = [], [], []
    for sequence in sorted(set(labels) & set(frames)):
        emotions.append(_emotion_of(files, labels[sequence].get("emotion")))
        strengths.append(_intensities_of(files, labels[sequence].get("facs")))
        members.append(max(frames[sequence], key=lambda name: int(FRAME.search(name)[3])))
    if not members:
        raise ValueError(
            f"{files.path}: no sequence has both frames and labels; put all three archives there"
        )
    strengths = np.array(strengths, np.float32)
    uncoded = np.isnan(strengths).all(1)
    units = np.where(uncoded[:, None], np.nan, strengths != 0)
    without = len(frames) - len(members)
    return Reading(
        layout="as given out",
        views={"face": (PIXELS, 1)},
        files=files,
        render=face_of(PIXELS),
        detected=("face",),
        notes=[f"{without} sequences without a label are left out"] if without else [],
        intensities={} if uncoded.all() else {"action_units": strengths},
        **_with_emotions(members, emotions, units),
    )


def _with_emotions(members, emotions, units) -> dict:
    """The fields of a `Reading` whose frames carry an emotion each, or None, and action units."""
    codes = [CK_EMOTIONS.index(emotion) if emotion in CK_EMOTIONS else UNLABELLED for emotion in emotions]
    coded = {} if np.isnan(units).all() else {"action_units": np.array(units, np.float32)}
    return {
        "names": basenames(members),
        "targets": {
            "emotion": np.array(codes, np.int64),
            "high_level_emotion": _high_level(emotions),
            **coded,
        },
        "classes": {"emotion": CK_EMOTIONS, "high_level_emotion": HIGH_LEVEL} | dict.fromkeys(coded, UNITS),
        "pictures": np.array(members),
        "subjects": np.array([FRAME.search(member)[1] for member in members]),
    }


def _high_level(emotions) -> np.ndarray:
    """int64 (N,): the class of `HIGH_LEVEL` that each emotion belongs to; unlabelled for neutral and None."""
    groups = [HIGH_LEVEL_OF.get(emotion) for emotion in emotions]
    return np.array([HIGH_LEVEL.index(group) if group else UNLABELLED for group in groups], np.int64)


def _ck_pixels(reading) -> Reading:
    names = np.array([*reading.classes["emotion"], None])[reading.targets["emotion"]]  # -1: the last
    return replace(
        reading,
        layout="pixels",
        targets=reading.targets | {"high_level_emotion": _high_level(names)},
        classes=reading.classes | {"high_level_emotion": HIGH_LEVEL},
        split=None,  # it shares people between its parts
    )


def _emotion_of(files, name) -> str | None:
    """The emotion in the text of a sequence, a code 0 (neutral) to 7; None without a text."""
    if name is None:
        return None
    text = files.text(name).strip()
    try:
        return ("neutral", *CK_EMOTIONS)[int(float(text))]
    except (ValueError, IndexError):
        raise ValueError(f"{files.path}: {name}: '{text[:40]}', expected a code 0 to 7") from None


def _intensities_of(files, name) -> list[float]:
    """As `FaceSet.intensities` has them, of each of `UNITS`: a line `unit intensity` stands for each that is
    present, 0 for an unknown intensity; all are NaN without a text."""
    if name is None:
        return [np.nan] * len(UNITS)
    found = dict.fromkeys(UNITS, 0.0)
    for line in files.text(name).splitlines():
        if line.strip():
            try:
                unit, intensity = map(float, line.split())
                found[f"AU{int(unit)}"] = {0: np.nan, 1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: 5.0}[intensity]
            except (ValueError, KeyError, OverflowError):
                expected = "expected 'unit intensity', the intensity 0 to 5"
                raise ValueError(f"{files.path}: {name}: '{line.strip()}', {expected}") from None
    return [found[unit] for unit in UNITS]


def _ck_small(files, members, rows):
    emotions, units = [], []
    for member in members:
        subject, sequence, number = FRAME.search(member).groups()
        folder = member.split("/")[-2]
        emotion = {meant(name): name for name in (*CK_EMOTIONS, "neutral")}.get(meant(folder))
        if emotion is None:
            raise ValueError(
                f"{files.path}: {member}: folder '{folder}', expected one of {', '.join(CK_EMOTIONS)}"
            )
        emotions.append(emotion)
        same = [row for row in rows if (row.subject, row.sequence) == (subject, int(sequence))]
        nearest = min(same, key=lambda row: abs(row.number - int(number)), default=None)
        units.append(nearest.units if nearest else [np.nan] * len(UNITS))
    uncoded = int(np.isnan(units).all(1).sum())
    return Reading(
        layout="CK+48",
        views={"face": (SMALL_PIXELS, 1)},
        files=files,
        render=exactly(SMALL_PIXELS),
        notes=[f"{uncoded} of {len(members)} images have no action units in data_labels.csv"],
        **_with_emotions(members, emotions, units),
    )
