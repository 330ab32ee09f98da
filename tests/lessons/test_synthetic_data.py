"""Lesson 15: who is in which run, what an arm is trained on, what is promised of the stored runs, and what its explorers show."""

import numpy as np
import pytest

from course_lib import data, evaluate, models, results
from course_lib.lessons.gan import experiment as gan_experiment
from course_lib.lessons.gan import model as gan_model
from course_lib.lessons.synthetic_data import exercises, experiment, explorers, model

pytestmark = pytest.mark.slow

ARMS_RUN = "synthetic_data/arms"


def stored(seed):
    return results.arrays(ARMS_RUN, seed)


# ---- Patients


def test_no_run_shares_a_patient_with_another_or_with_the_networks_that_judge():
    sets = [*experiment.SETS["rates"], *experiment.SETS["arms"], experiment.TEST_SET]
    sets += [gan_experiment.READER_SET, *gan_model.PATIENTS.values()]
    assert len(set(sets)) == len(sets)  # numbers of patients are unique over seeds of the data
    own = {name: len(seeds) for name, seeds in experiment.RUNS.items() if name != "longer"}  # on the patients of `arms`
    assert {name: len(sets) for name, sets in experiment.SETS.items()} == own


def test_training_patients_are_as_many_as_said_and_nobody_is_drawn_twice():
    for seed in (0, 1):
        brains, drawn, left = experiment.patients("rates", seed, quick=True)
        everybody = [np.unique(groups) for _, _, groups in (*drawn.values(), left)]
        assert sum(map(len, everybody)) == len(np.unique(np.concatenate(everybody)))
        assert np.isin(np.concatenate(everybody), brains.train.groups).all()
        for number, (images, label, groups) in drawn.items():
            counts = [len(np.unique(groups[label == c])) for c in range(3)]
            assert tuple(counts) == experiment.QUICK_PATIENTS[number] and len(images) == 4 * sum(counts)
        assert len(np.unique(np.bincount(left[1]))) == 1  # validation is balanced
    assert {number: sum(counts) for number, counts in model.PATIENTS.items()} == {56: 56, 224: 224}


def test_strangers_have_the_members_shares_of_the_classes():
    brains = data.load("brain-lesions", size=32)
    images, label, groups = model.strangers(*(model.slices_of(part) for part in (brains.val, brains.test)))
    counts = np.array([len(np.unique(groups[label == c])) for c in range(3)])
    for share in model.PATIENTS.values():
        assert np.array_equal(counts * sum(share), np.array(share) * counts.sum())
    assert len(images) == 4 * counts.sum() and counts.sum() > 150
    assert not np.isin(groups, brains.train.groups).any()


def test_three_classes_are_numbered_without_a_gap():
    split = data.load("brain-lesions", size=32).val
    images, label, groups = model.slices_of(split)
    assert set(label) == {0, 1, 2} and len(images) == np.isin(split.targets["label"], model.CLASSES).sum()
    ill = split.groups[split.targets["label"] == 3][0]
    assert set(model.slices_of(split, [ill])[1]) == {model.RARE} and (model.slices_of(split, [ill])[2] == ill).all()


# ---- Arms and networks


def test_arms_differ_in_the_added_images_alone():
    label = np.repeat([0, 1, 2], [12, 12, 4])
    images = np.arange(len(label), dtype=np.float32).reshape(-1, 1, 1, 1)
    asked = np.repeat([0, 1, 2], 30)
    released = 1000 + np.arange(len(asked), dtype=np.float32).reshape(-1, 1, 1, 1)
    sets = experiment.training_sets(images, label, released, asked, seed=1)
    assert tuple(sets) == model.ARMS and sets["original"][0] is images
    for name, (x, y) in sets.items():
        if name != "original":
            assert np.bincount(y).tolist() == [model.FILL * 12] * 3, name
        generated = x.ravel() >= 1000
        place = x.ravel().astype(int)
        truth = np.where(generated, asked[np.maximum(place - 1000, 0)], label[place % 1000 % len(label)])
        assert np.array_equal(truth, y), f"{name}: an image has another's label"
        assert generated.any() == ("GAN" in name) and generated.all() == (name == "GAN alone")
        if name in ("+ duplicates", "+ GAN"):
            times = np.bincount(x[~generated].ravel().astype(int), minlength=len(label))
            assert times.min() >= 1 and all(np.ptp(times[label == c]) <= 1 for c in range(3)), (
                "one is repeated more often"
            )
    assert sets["+ classic"] is sets["+ duplicates"] and sets["+ classic + GAN"] is sets["+ GAN"]


def test_all_arms_start_from_the_same_weights_and_only_classic_ones_change_images():
    images = np.random.default_rng(0).random((40, 16, 16, 1), np.float32)
    first, options = {}, {"original": images, "rate": 1e-3, "steps": 15, "seed": 3}
    for arm in ("original", "GAN alone", "+ classic"):
        keep = models.keras.callbacks.LambdaCallback()
        keep.on_train_begin = lambda logs, keep=keep, arm=arm: first.update({arm: keep.model.layers[-1].get_weights()})
        network = model.train(images, np.arange(40) % 3, arm, callbacks=[keep], **options)
        once, again = (network(images, training=True).numpy() for _ in range(2))
        assert np.array_equal(once, again) == ("classic" not in arm)
        assert np.array_equal(network(images, training=False), network.layers[-1](images, training=False))
    assert list(first) == ["original", "GAN alone", "+ classic"]  # all three were looked at
    kernels = [[weights for weights in each if weights.ndim > 1] for each in first.values()]
    assert all(np.array_equal(a, b) for other in kernels[1:] for a, b in zip(kernels[0], other, strict=True))


def test_the_nearest_is_sought_in_the_same_class():
    images = np.array([0.0, 1.0, 5.0]).reshape(3, 1, 1, 1)
    others = np.array([0.1, 0.9, 4.0, 1.2]).reshape(4, 1, 1, 1)
    index, distance = model.nearest_of_class(images, np.array([0, 0, 1]), others, np.array([1, 0, 1, 0]))
    assert index.tolist() == [1, 1, 2] and distance == pytest.approx([0.9, 0.1, 1.0])


def test_class_means_name_the_class_whose_mean_is_nearest():
    images = np.array([0.0, 2.0, 5.0, 9.0]).reshape(4, 1, 1, 1)
    named = experiment.by_class_means(images, np.array([0, 0, 1, 2]), np.array([2.9, 3.1, 8.0]).reshape(3, 1, 1, 1))
    assert named.tolist() == [0, 1, 2] and named.dtype == np.uint8


# ---- How stored runs are read


def test_a_best_rate_at_an_end_of_the_list_is_an_error(monkeypatch):
    rising = {f"56, {arm}": {f"{rate:g}": {"val": rate} for rate in model.RATES} for arm in model.ARMS}
    monkeypatch.setattr(results, "load", lambda path: {0: rising, 1: rising})
    with pytest.raises(ValueError, match="56, GAN alone is best at 0.08, an end of the list"):
        model.best_rate(56, "GAN alone")
    rising["56, original"]["0.001"]["val"] = 0.9
    assert model.best_rate(56, "original") == 0.001


def test_the_difference_of_two_arms_has_the_sign_of_the_better_one(monkeypatch):
    truth = np.repeat([0, 1, 2], 40)
    fakes = {
        "truth": truth,
        "groups": np.arange(120) // 4,
        "right": np.tile(truth, (3, 1)),
        "wrong": np.zeros((3, 120)),
    }
    monkeypatch.setattr(model, "answers", lambda number, arm: fakes[arm])
    monkeypatch.setattr(model, "share_right", model.share_right.__wrapped__)
    gain = model.gain.__wrapped__
    assert gain((56, "right"), (56, "wrong")).below and gain((56, "wrong"), (224, "right")).above
    assert gain((56, "wrong"), (56, "right"), model.RARE).value == 1


def test_arms_of_a_seed_are_compared_seed_by_seed(monkeypatch):
    rng = np.random.default_rng(0)
    sets = 0.4 + 0.2 * rng.random((5, 1))  # the luck of a seed's patients, shared by both arms
    one = sets + 0.05 * rng.standard_normal((5, 300))
    other = one + 0.01 + 0.001 * rng.standard_normal((5, 300))
    fakes = {(56, "one"): one, (56, "other"): other, (224, "other"): other}
    monkeypatch.setattr(model, "share_right", lambda number, arm, label: fakes[number, arm])
    gain = model.gain.__wrapped__
    paired, apart = gain((56, "one"), (56, "other")), gain((56, "one"), (224, "other"))
    assert paired.value == pytest.approx(apart.value) == pytest.approx(0.01, abs=1e-3)
    assert apart.high - apart.low > 3 * (paired.high - paired.low) and paired.above and not apart.above


def test_attacks_of_several_seeds_are_put_together_by_rank(monkeypatch):
    def arrays(path, seed):
        stranger = np.arange(200.0) * 10**seed  # the seeds' scores have other units
        return {
            "56, images, own, members": np.array([199.5, 198.5, -1.0]) * 10**seed,
            "56, images, own, strangers": stranger,
            "56, members": np.arange(3) + 10 * seed,
            "strangers": 1000 + np.arange(200),
        }

    monkeypatch.setattr(results, "load", lambda path: {0: {}, 1: {}})
    monkeypatch.setattr(results, "arrays", arrays)
    member, score, groups = model.attacked.__wrapped__(56, "images")
    assert member.sum() == 6 and len(score) == len(groups) == 406 and len(np.unique(groups)) == 206
    assert score[member].tolist() == [1, 0.995, 0] * 2
    assert evaluate.true_positive_rate_at(member, score, groups=groups, repeats=100).value == pytest.approx(2 / 3)
    assert model.attacked.__wrapped__(56, "images", seed=1)[0].sum() == 3


def test_both_attackers_give_each_patient_the_mean_of_the_slices():

    class Judge:
        def predict(self, images, **_):
            return [images.reshape(len(images), -1)[:, :1], None]

    people = np.array([0.0, 1.0, 5.0, 7.0]).reshape(4, 1, 1, 1), np.array([0, 0, 1, 1]), np.array([8, 8, 3, 3])
    release = np.array([0.0, 1.5, 5.0, 5.0]).reshape(4, 1, 1, 1), np.array([0, 0, 1, 1])
    scores = experiment.scores(people, release, Judge())
    assert scores["images"].tolist() == [-1.0, -0.25] and scores["discriminator"].tolist() == [6.0, 0.5]


# ---- The stored runs


def test_each_arm_was_trained_at_the_rate_that_was_best_on_validation():
    runs = results.load(ARMS_RUN)
    assert len(runs) == 5
    for seed, run in runs.items():
        for number, arm in model.PAIRS:
            assert run[f"{number}"]["arms"][arm]["rate"] == model.best_rate(number, arm), (seed, number, arm)


def test_all_runs_met_the_same_test_patients_and_the_kept_checkpoint_has_the_lowest_kid():
    truth, groups = (model.answers(None, name) for name in ("truth", "groups"))
    assert len(np.unique(groups)) == 630 and np.bincount(truth).tolist() == [840] * 3
    for seed, run in results.load(ARMS_RUN).items():
        arrays = stored(seed)
        assert np.array_equal(arrays["truth"], truth) and np.array_equal(arrays["groups"], groups)
        members = [arrays[f"{number}, members"] for number in model.PATIENTS]
        assert [len(each) for each in members] == list(model.PATIENTS)
        assert not np.intersect1d(np.concatenate(members), groups).size and not np.intersect1d(*members).size
        assert np.isin(arrays["strangers"], groups).all() and len(arrays["strangers"]) == 490
        for number in model.PATIENTS:
            told = run[f"{number}"]["gan"]
            assert [row["step"] for row in told["checks"]] == list(experiment.CHECKS)
            assert told["kept"] == min(told["checks"], key=lambda row: row["kid"])["step"]


def test_the_longer_runs_had_three_times_the_steps_and_met_the_same_test_patients():
    runs = results.load("synthetic_data/longer")
    assert len(runs) == 5
    for seed, run in runs.items():
        arrays = results.arrays("synthetic_data/longer", seed)
        assert tuple(run) == model.LONGER and set(arrays) == set(model.LONGER)
        for arm, row in run.items():
            assert (row["rate"], row["steps"]) == (model.best_rate(224, arm), 3 * model.STEPS[224])
            assert arrays[arm].shape == model.answers(None, "truth").shape and set(np.unique(arrays[arm])) <= {0, 1, 2}


def test_stored_members_are_those_of_the_dataset():
    train = data.load("brain-lesions", size=32).train
    for number, counts in model.PATIENTS.items():
        _, label, groups = model.slices_of(train, stored(0)[f"{number}, members"])
        assert tuple(len(np.unique(groups[label == c])) for c in range(3)) == counts


def test_results_are_small():
    assert sum(path.stat().st_size for path in (results.LESSONS / "synthetic_data" / "results").iterdir()) < 2e6


@pytest.mark.parametrize("number", model.PATIENTS)
def test_generated_images_are_images(number):
    released = explorers.released_images(number)
    assert released.shape == (3000, 32, 32, 1) and released.min() >= 0 and released.max() <= 1
    # A brain in the middle and air around it, and not the same one each time.
    assert released[:, 12:20, 12:20].mean() > 0.3 > 0.1 > released[:, :3, :3].mean()
    assert released.std(axis=0).max() > 0.05


# ---- Explorers and exercises


def membership(**changes):
    explorer = explorers.release()
    explorer.render(**changes)
    return float(explorer._figure.axes[1].get_title().split()[1].strip(","))


@pytest.mark.parametrize("kind", explorers.CLASSES)
def test_planted_copies_are_found(kind):
    changes = {"patients": "224", "kind": kind}
    without, half, noisy = (membership(**changes, planted=p, noise=s) for p, s in ((0, 0.0), (50, 0.0), (50, 0.2)))
    assert half > without and noisy <= half
    assert half == pytest.approx((1 + without) / 2, abs=0.1)  # half of the members come first, the others are as before


def test_a_planted_copy_may_be_the_nearest_to_a_stranger_too(monkeypatch):
    brains = np.full((8, 32, 32, 1), 0.5)
    brains[4:] = 0.45
    people = {"member": (brains, np.zeros(8, int), np.repeat([1, 2], 4))}
    people["stranger"] = (brains[2:6], np.zeros(4, int), np.repeat([3, 4], 2))
    monkeypatch.setattr(explorers, "_people", lambda number: people)
    monkeypatch.setattr(explorers, "released_images", lambda number: np.zeros((1, 32, 32, 1)))
    monkeypatch.setattr(
        explorers, "_nearest", lambda number, name: np.zeros((2, len(people[name][0])), int) + [[0], [9]]
    )
    explorer, farthest = explorers.release(), []
    for planted in (0, 50):
        explorer.render(kind="healthy", planted=planted, noise=0.0)
        ax = explorer._figure.axes[1]
        assert f"2 members, {planted // 50} of them planted; 2 strangers" in ax.get_title()
        shares, edges, _ = ax.patches[0].get_data()
        assert ax.get_legend_handles_labels()[1][0] == "strangers"
        farthest.append(edges[1:][shares > 0].max())
    assert farthest[0] > 8.9 and farthest[1] < 2


def test_what_the_answers_below_the_explorers_say_is_in_the_stored_runs():
    truth = model.answers(None, "truth")

    def recalls(number, arm):
        return [np.mean([model.recall(truth, each, c) for each in model.answers(number, arm)]) for c in range(3)]

    # Section 5: one infarct slice in nine and one in eight; the likeliest answers; the class of the largest loss
    assert recalls(56, "original")[2] == pytest.approx(1 / 9, abs=0.01)
    assert recalls(56, "+ duplicates")[2] == pytest.approx(1 / 8, abs=0.01)
    gain = model.gain((56, "original"), (56, "+ duplicates"), 2)
    assert gain.low < 0 < gain.high
    for number, likeliest in ((56, 0), (224, 1)):
        shares = (
            np.bincount(model.answers(number, "GAN alone").ravel(), minlength=3)
            / model.answers(number, "GAN alone").size
        )
        assert shares.argmax() == likeliest and shares[likeliest] == pytest.approx(0.4, abs=0.02)
    lost = {n: [model.gain((n, "+ classic"), (n, "+ classic + GAN"), c) for c in range(3)] for n in model.PATIENTS}
    assert lost[56][2].below and np.argmin([e.value for e in lost[56]]) == 2
    assert lost[224][0].below and np.argmin([e.value for e in lost[224]]) == 0
    for number, label, seeds in ((56, 2, 4), (224, 0, 5)):  # the class with the largest loss, seed by seed
        change = np.array(
            [
                (model.share_right(number, "+ classic + GAN", c) - model.share_right(number, "+ classic", c)).mean(
                    axis=1
                )
                for c in range(3)
            ]
        )
        assert np.sum(change.argmin(axis=0) == label) == seeds
    # Section 8: how much single seeds scatter
    found = {}
    for number in model.PATIENTS:
        found[number] = []
        for seed in range(5):
            member, score, _ = model.attacked(number, "images", seed=seed)
            found[number].append(exercises.members_found.reference(score[member], score[~member], 0.01))
    assert [round(100 * each) for n in found for each in (min(found[n]), max(found[n]))] == [18, 32, 1, 7]


def test_infarcts_are_recognised_best_in_every_stored_seed():
    truth, groups = (model.answers(None, name) for name in ("truth", "groups"))
    of_test = dict(zip(groups.tolist(), truth.tolist(), strict=True))
    areas = {number: [] for number in model.PATIENTS}
    for seed, data_seed in enumerate(experiment.SETS["arms"]):
        train = data.load("brain-lesions", size=32, seed=data_seed).train
        for number in model.PATIENTS:
            member, score, people = model.attacked(number, "images", seed=seed)
            _, label, owner = model.slices_of(train, people[member])
            kind = of_test | dict(zip(owner.tolist(), label.tolist(), strict=True))
            kind = np.array([kind[person] for person in people.tolist()])
            rows = [kind == c for c in range(3)]
            areas[number].append([evaluate.area_under_curve(member[r], score[r], repeats=100).value for r in rows])
    assert all(np.all(np.argmax(each, axis=1) == model.RARE) for each in areas.values())
    assert np.mean(areas[56], axis=0) == pytest.approx([0.70, 0.75, 0.86], abs=0.006)


@pytest.mark.slow
def test_what_the_answers_below_the_explorer_of_the_release_say():
    explorer, titles = explorers.release(), {}
    for kind, planted in (("infarct (rare)", 0), ("mass", 0), ("mass", 5), ("healthy", 0)):
        explorer.render(patients="56", kind=kind, planted=planted)
        titles[kind, planted] = explorer._figure.axes[1].get_title()
    assert "AUC 0.92 (0.71 to 0.98)" in titles["infarct (rare)", 0] and "8 members" in titles["infarct (rare)", 0]
    assert "AUC 0.72" in titles["mass", 0] and "AUC 0.68" in titles["healthy", 0]
    assert "AUC 0.72" in titles["mass", 5] and "1 of them planted" in titles["mass", 5]


def test_reference_solutions_agree_with_the_library():
    for right, n in ((143, 182), (0, 12), (7, 7)):
        assert exercises.wilson.reference(right, n) == pytest.approx(evaluate.wilson(right, n), abs=1e-4)
    rng = np.random.default_rng(0)
    member, stranger = rng.normal(1, 1, 90), rng.normal(0, 1, 250)
    library = evaluate.true_positive_rate_at(np.arange(340) < 90, np.r_[member, stranger], repeats=100)
    assert exercises.members_found.reference(member, stranger, 0.01) == library.value
