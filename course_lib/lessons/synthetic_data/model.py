"""What notebook, experiment and explorers of the lesson on synthetic training data share."""

import numpy as np

from course_lib import results

CLASSES = (0, 1, 3)  # healthy, mass, infarct of "brain-lesions": labels 0, 1, 2 here
RELEASED = 1000  # generated images of each class, for the measures of quality and privacy
CLASSIFIER = {"steps": 300, "batch": 32, "rate": 2e-3}  # the rate falls to zero along a cosine
GENERATOR = {"channels": 64, "classes": 3}
"""The conditional generator, as `gan.generator` takes it."""


def slices_of(split, patients=None):
    """Images (n, h, w, 1), labels from 0 to 2 and patients of the slices of the three classes.

    patients: numbers of those who are wanted; all by default.
    """
    rows = np.isin(split.targets["label"], CLASSES)
    if patients is not None:
        rows &= np.isin(split.groups, patients)
    return split.x[rows], np.searchsorted(CLASSES, split.targets["label"][rows]), split.groups[rows]


def train_classifier(images, label, real, augmentation=(), *, steps=CLASSIFIER["steps"], seed=0, callbacks=()):
    """The small CNN for three classes, trained on images (n, h, w, 1) with labels 0 to 2; logits come out.

    real: the real images, whose mean and variance standardise all. augmentation: layers in front.
    The same seed means the same first weights and the same number of steps, whatever the images are.
    """
    from course_lib import import_tensorflow
    from course_lib.models import compile_with_cosine, keras, layers, small_cnn

    tf = import_tensorflow()
    keras.utils.set_random_seed(seed)
    cnn = small_cnn(images.shape[1:], 3, mean=real.mean(), variance=real.var())
    model = keras.Sequential([layers.Input(images.shape[1:]), *augmentation, cnn])
    compile_with_cosine(model, CLASSIFIER["rate"], steps, steps_per_execution=10)
    batches = tf.data.Dataset.from_tensor_slices((images, label)).shuffle(len(images), seed=seed).repeat()
    batches = batches.batch(CLASSIFIER["batch"])
    model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=list(callbacks))
    return model


def stored_generator(patients):
    """The generator that was trained on so many patients (56 or 224) of the first seed; it takes [z, labels]."""
    from course_lib import gan

    generator = gan.generator(**GENERATOR)
    generator.set_weights(results.weights("synthetic_data/study", 0, network=str(patients)))
    return generator


def nearest_of_class(images, label, others, other_label):
    """For each image the nearest of its class among others: index (n,) int and Euclidean distance (n,) float32."""
    from course_lib import gan

    index, distance = np.zeros(len(images), int), np.zeros(len(images), np.float32)
    for c in np.unique(label):
        rows, candidates = label == c, np.flatnonzero(other_label == c)
        place, distance[rows] = gan.nearest(images[rows], others[candidates])
        index[rows] = candidates[place]
    return index, distance
