"""`labkit.splits`: no image on two sides, the shares asked for, no person on two sides, and what is
refused."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from labkit import splits
from labkit.faces import FaceSet


def uneven(n=200, seed=1):
    """Three classes of very different size, some unlabelled, 25 people."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([-1, 0, 1, 2], n, p=[0.1, 0.6, 0.2, 0.1])
    return FaceSet(
        rng.integers(1, 256, (n, 4, 4, 1), dtype=np.uint8),
        {"emotion": labels},
        {"emotion": ("neutral", "happy", "angry")},
        subjects=np.array([f"P{i:02d}" for i in rng.integers(0, 25, n)]),
        split=rng.choice(["train", "public_test", "private_test"], n, p=[0.8, 0.1, 0.1]),
        source="uneven",
    )


@pytest.fixture(scope="module")
def set_of_200():
    return uneven()


def parts(split):
    return split.train, split.validation, split.test


OPTIONS = {
    "random": {},
    "stratified": {"target": "emotion"},
    "by_subject": {},
    "official": {},
    "k_fold": {"fold": 1},
    "group_k_fold": {"fold": 1},
    "stratified_group_k_fold": {"target": "emotion", "fold": 1},
}


@pytest.mark.parametrize("kind", splits.KINDS)
def test_parts_share_nothing_and_follow_the_seed(set_of_200, kind):
    def make(seed):
        return splits.make(set_of_200, kind, seed=seed, test=0.25, validation=0.2, **OPTIONS[kind])

    everything = np.concatenate(parts(make(0)))
    assert len(np.unique(everything)) == len(everything)
    assert len(everything) == (200 if kind != "official" else (set_of_200.split != "private_test").sum())
    assert all(part.dtype == np.int64 and len(part) for part in parts(make(0)))
    for first, second in zip(parts(make(3)), parts(make(3))):
        np.testing.assert_array_equal(first, second)
    assert make(3).train.tolist() != make(4).train.tolist()


@pytest.mark.parametrize(("test", "validation"), [(0.2, 0.0), (0.25, 0.1), (0.0, 0.5), (0.0, 0.0)])
def test_random_has_the_shares_asked_for(set_of_200, test, validation):
    split = splits.make(set_of_200, "random", test=test, validation=validation)
    assert len(split.test) == 200 * test and len(split.validation) == 200 * validation
    assert len(split.train) == 200 * (1 - test - validation)


def test_stratified_gives_every_class_the_same_shares(set_of_200):
    labels = set_of_200.targets["emotion"]
    split = splits.make(set_of_200, "stratified", target="emotion", test=0.3, validation=0.1)
    for c, n in Counter(labels.tolist()).items():  # -1, not labelled, is shared out like a class
        assert np.sum(labels[split.test] == c) == round(0.3 * n)
        assert np.sum(labels[split.validation] == c) == round(0.1 * n)
    assert np.any(np.diff(labels[split.train]) < 0)  # mixed, not one class after the other


def test_by_subject_puts_nobody_on_two_sides(set_of_200):
    for seed in range(5):
        split = splits.make(set_of_200, "by_subject", seed=seed, test=0.2, validation=0.2)
        people = [set(set_of_200.subjects[part]) for part in parts(split)]
        assert [len(p) for p in people] == [15, 5, 5]
        assert not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])


@pytest.mark.parametrize("kind", ["group_k_fold", "stratified_group_k_fold"])
def test_folds_of_people_are_those_of_scikit_learn(set_of_200, kind):
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    target = {"target": "emotion"} if kind.startswith("stratified") else {}
    people, labels = set_of_200.subjects, set_of_200.targets["emotion"]
    theirs = (StratifiedGroupKFold if target else GroupKFold)(
        4, shuffle=True, random_state=int(np.random.default_rng(7).integers(2**31))
    )
    expected = [set(test.tolist()) for _, test in theirs.split(people, labels, people)]
    tested = []
    for fold in range(4):
        split = splits.make(set_of_200, kind, seed=7, fold=fold, validation=0.2, **target)
        tested.append(set(split.test.tolist()))
        sides = [set(people[part]) for part in parts(split)]
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
        assert 0.1 < len(split.validation) / (200 - len(split.test)) < 0.35
    assert tested == expected
    with pytest.raises(ValueError, match="30 folds of 25 people: at least one each"):
        splits.make(set_of_200, kind, fold=0, folds=30, **target)
    few = splits.make(set_of_200, kind, fold=0, folds=2, validation=0.01, **target)
    assert len(few.train) > len(few.validation) and len(few.test)


def test_folds_that_leave_nobody_to_train_are_refused():
    two = FaceSet(np.zeros((4, 2, 2, 1), np.uint8), subjects=np.array(["a", "a", "b", "b"]))
    with pytest.raises(ValueError, match=r"validation 0\.9 of 4 images leaves nobody to train on"):
        splits.make(two, "group_k_fold", fold=0, folds=2, validation=0.9)


def test_stratified_folds_of_people_have_each_class_in_about_the_same_share(set_of_200):
    labels, shares = set_of_200.targets["emotion"], {}
    for kind, target in (("group_k_fold", {}), ("stratified_group_k_fold", {"target": "emotion"})):
        each = [splits.make(set_of_200, kind, fold=fold, **target).test for fold in range(4)]
        shares[kind] = np.std([np.mean(labels[test] == 1) for test in each])
    assert shares["stratified_group_k_fold"] < shares["group_k_fold"]


def test_official_validation_images_and_a_test_part_that_is_kept_back(set_of_200):
    split = splits.make(set_of_200, "official", validation_name="public_test", test_name="private_test")
    parts = {"train": split.train, "public_test": split.validation, "private_test": split.test}
    assert all(set(set_of_200.split[index]) == {name} for name, index in parts.items())
    without = set_of_200.take(set_of_200.split != "private_test")
    split = splits.make(without, "official", validation_name="public_test", test_name="private_test")
    assert len(split.test) == 0 and len(split.validation) == (without.split == "public_test").sum()
    with pytest.raises(ValueError, match="official needs images marked 'public'"):
        splits.make(without, "official", validation_name="public", test_name="private_test")


def test_official_keeps_the_publishers_test_images(set_of_200):
    marked = {
        name: np.flatnonzero(set_of_200.split == name) for name in ("train", "public_test", "private_test")
    }
    split = splits.make(set_of_200, "official", validation=0.25)
    assert split.test.tolist() == marked["public_test"].tolist()
    assert sorted([*split.train, *split.validation]) == marked["train"].tolist()
    assert len(split.validation) == round(0.25 * len(marked["train"]))
    private = splits.make(set_of_200, "official", test_name="private_test")
    assert private.test.tolist() == marked["private_test"].tolist() and len(private.validation) == 0


def test_a_share_of_what_trains_may_be_large_where_the_test_part_is_given(set_of_200):
    split = splits.make(set_of_200, "official", validation=0.9)
    assert len(split.validation) == round(0.9 * (set_of_200.split == "train").sum())


@pytest.mark.parametrize("folds", [2, 4, 7])
def test_folds_test_every_image_once(set_of_200, folds):
    made = [
        splits.make(set_of_200, "k_fold", seed=5, fold=i, folds=folds, validation=0.1) for i in range(folds)
    ]
    assert sorted(np.concatenate([s.test for s in made]).tolist()) == list(range(200))
    for split in made:
        assert abs(len(split.test) - 200 / folds) < 1
        assert sorted(np.concatenate(parts(split)).tolist()) == list(range(200))
        assert len(split.validation) == round(0.1 * (200 - len(split.test)))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            "randm",
            {},
            "split: expected kind to be one of random, stratified, official, by_subject, k_fold, "
            "group_k_fold, stratified_group_k_fold, got 'randm'",
        ),
        (
            "random",
            {"test": 1.0},
            "split: shares must lie in 0..1 and leave something to train on, got test 1.0, validation 0.0",
        ),
        ("random", {"validation": -0.1}, "got test 0.2, validation -0.1"),
        (
            "random",
            {"test": 0.5, "validation": 0.5},
            "leave something to train on, got test 0.5, validation 0.5",
        ),
        ("random", {"target": "emotion"}, "split: random: got an unexpected keyword argument 'target'"),
        ("stratified", {}, "split: stratified: missing a required argument: 'target'"),
        ("stratified", {"target": "smile"}, "target 'smile': expected one of emotion"),
        ("stratified", {"target": "units"}, "target 'units' holds several labels an image"),
        (
            "official",
            {"test_name": "final_test"},
            "split: official needs images marked 'final_test'; this set has private_test, public_",
        ),
        ("k_fold", {}, "split: k_fold: missing a required argument: 'fold'"),
        ("k_fold", {"fold": 4}, "split: fold must be 0 to 3, got 4"),
        ("k_fold", {"fold": -1, "folds": 3}, "split: fold must be 0 to 2, got -1"),
        ("k_fold", {"fold": 0, "folds": 1}, "split: folds must be 2 or more, got 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(set_of_200, kind, options, message):
    units = np.zeros((200, 2), np.float32)
    both = replace(
        set_of_200,
        targets=set_of_200.targets | {"units": units},
        classes=set_of_200.classes | {"units": ("AU1", "AU2")},
    )
    with pytest.raises(ValueError, match=message) as error:
        splits.make(both if options.get("target") == "units" else set_of_200, kind, **options)
    assert "\n" not in str(error.value)


def test_sets_without_people_or_official_split_say_so(set_of_200):
    bare = replace(set_of_200, subjects=None, split=None)
    with pytest.raises(
        ValueError, match="by_subject needs to know who is in each picture, which uneven does not say"
    ):
        splits.make(bare, "by_subject")
    with pytest.raises(
        ValueError, match="official needs images marked 'train'; this set has no official split"
    ):
        splits.make(bare, "official")


def test_oversampling_evens_out_training_images_only(set_of_200):
    labels = set_of_200.targets["emotion"]
    split = splits.make(set_of_200, "stratified", target="emotion", test=0.3)
    chosen = splits.oversample(set_of_200, split.train, "emotion", seed=2)
    before, after = Counter(labels[split.train].tolist()), Counter(labels[chosen].tolist())
    largest = max(before[c] for c in (0, 1, 2))
    assert [after[c] for c in (0, 1, 2)] == [largest] * 3
    assert after[-1] == before[-1]
    assert set(chosen) == set(split.train)  # every training image is still there, nothing else came in
    copies = Counter(chosen.tolist())
    for c in (-1, 0, 1, 2):
        times = [copies[i] for i in split.train if labels[i] == c]
        assert max(times) - min(times) <= 1
    np.testing.assert_array_equal(chosen, splits.oversample(set_of_200, split.train, "emotion", seed=2))
    assert chosen.tolist() != splits.oversample(set_of_200, split.train, "emotion", seed=3).tolist()


def test_oversampling_refuses_what_has_no_classes(set_of_200):
    with pytest.raises(ValueError, match="target 'smile': expected one of emotion"):
        splits.oversample(set_of_200, np.arange(10), "smile")
    unlabelled = np.flatnonzero(set_of_200.targets["emotion"] == -1)
    with pytest.raises(ValueError, match="target 'emotion': no training image is labelled"):
        splits.oversample(set_of_200, unlabelled, "emotion")


def test_duplicates_and_black_images_are_found(set_of_200):
    images = set_of_200.images.copy()
    images[[7, 90]] = images[3]
    images[150] = images[149]
    images[[11, 12]] = 0
    images[12, 0, 0, 0] = 1  # nearly black is not black
    images[13] = 0
    images[13, 3, 3, 0] = 255
    dirty = replace(set_of_200, images=images)
    assert [group.tolist() for group in splits.duplicates(dirty)] == [[3, 7, 90], [149, 150]]
    assert splits.black(dirty).tolist() == [11]
    assert splits.duplicates(set_of_200) == [] and splits.black(set_of_200).tolist() == []


# Copies


def test_copies_are_found_whatever_a_cpu_makes_of_the_last_bit():
    rng = np.random.default_rng(0)
    images = np.stack([s.images[0] for s in (_drawn(seed) for seed in range(40))])
    known = splits.signatures(images[:20])
    moved = np.clip(images.astype(int) + rng.integers(-1, 2, images.shape), 0, 255).astype(np.uint8)
    assert splits.copied(moved, known).tolist() == [True] * 20 + [False] * 20
    grey = np.rint(images.mean(-1, keepdims=True)).astype(np.uint8)
    assert splits.copied(grey, known).tolist() == [True] * 20 + [False] * 20
    assert known.dtype == np.int8 and known.shape == (20, splits.SIGNATURE)


def _drawn(seed):
    from labkit import synthetic

    return synthetic.make(1, size=48, seed=seed)


def test_what_leaves_nothing_to_train_on_is_refused(make_faces):
    faces = make_faces(n=4)
    with pytest.raises(
        ValueError,
        match=r"split: stratified: 'right' has 2 images, too few for test 0.3 and validation 0.3: "
        r"none trains",
    ):
        splits.make(faces, "stratified", target="side", test=0.3, validation=0.3)
    with pytest.raises(
        ValueError,
        match="test_name 'publik_test': this set has public_test, train; private_test may be missing",
    ):
        splits.make(make_faces(), "official", validation_name="public_test", test_name="publik_test")


def test_train_on_leaves_the_test_part_as_it_is():
    faces = uneven()
    plain = splits.make(faces, "random", seed=3, test=0.3, validation=0.2)
    some = splits.make(
        faces, "random", seed=3, test=0.3, validation=0.2, train_on={"emotion": faces.classes["emotion"][:2]}
    )
    assert np.array_equal(plain.test, some.test)
    for part, whole in ((some.train, plain.train), (some.validation, plain.validation)):
        assert part.tolist() == [i for i in whole if faces.targets["emotion"][i] in (0, 1)]
    for wrong in ("emotion", {"emotion": []}, {"emotion": ["joy"]}, {"hair": ["red"]}):
        with pytest.raises(ValueError, match="train_on"):
            splits.make(faces, "random", train_on=wrong)
