"""Write the stored release, from the weights that the experiment's plain network of seed 0 left.

    python -m course_lib.lessons.in_use.release

Run it with the lowest versions of TensorFlow and Keras that the course knows, 2.19 and 3.10: newer ones read what they
write, but not the other way round. A release is never overwritten: take the old folder away first, and raise VERSION.
"""

import numpy as np

from course_lib import data, results
from course_lib.data import brain_lesions
from course_lib.lessons.in_use import model as lesson
from course_lib.lessons.in_use import serve
from course_lib.lessons.in_use.experiment import Judge

VERSION = "2.0"
CHANGES = {
    "1.0": "made by the first edition of the course",
    "1.0.1": "the generator is named by a fingerprint of what it makes, and no longer by a hash of its text",
    "1.1": "the same weights, written by Keras 3.10 so that older versions can read them; the distance is a distance, no "
    "longer its square; how bright an image should be, and what the checks do not see, is named",
    "2.0": "new weights: trained for 30 epochs at the learning rate that was best on validation patients of other sets",
}


def card(judge) -> dict:
    """All that has to travel with the model, for `serve.save`."""
    brains, seen = data.load("brain-lesions"), judge.reliability
    wanted = {"modality": "MR", "size": 64, "field_of_view_mm": brain_lesions.FIELD_OF_VIEW}
    return {
        "name": "brain-lesions-cnn",
        "version": VERSION,
        "changes": CHANGES,
        "warning": serve.WARNING,
        "data": {
            "name": brains.name,
            "version": brain_lesions.VERSION,
            "generator": data.fingerprint(brains.name),
            "seed": 0,
            "simulated": True,
        },
        "classes": list(brains.class_names),
        "input": {**wanted, "brightest": float(np.median(brains.train.x.max((1, 2, 3))))},
        "temperature": judge.temperature,
        "threshold": judge.threshold,
        "threshold_chosen_for": f"sensitivity {lesson.SENSITIVITY} for any lesion, on validation",
        "largest_distance": judge.largest_distance,
        "largest_distance_chosen_for": f"{lesson.ANSWERED:.0%} of the validation images are answered",
        "accuracy_on_validation": str(judge.val_accuracy),
        "reliability": {
            "count": seen.count.tolist(),
            "right": [float(share) if count else None for share, count in zip(seen.observed, seen.count, strict=True)],
        },
        "not_seen": serve.NOT_SEEN,
    }


if __name__ == "__main__":
    judge = Judge(lesson.plain_network(), data.load("brain-lesions"))
    release = serve.Release(judge.model, judge.familiar, card(judge))
    print("model.keras", serve.save(release, results.folder(lesson.RELEASE)))
