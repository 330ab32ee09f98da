"""The same training in one process, or in several that work together as on a cluster.

`train` starts the workers on this machine; each of them runs `python -m course_lib.lessons.beyond.distribute FOLDER`.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from course_lib import ROOT


def fit(strategy, images, label, *, steps, batch, rate=0.01, seed=0):
    """Train a small CNN for some steps of SGD under a `tf.distribute` strategy: (loss of each step, list of weights).

    images: (n, h, w, c); label: class numbers (n,); batch: images a step over *all* workers, which share them equally.
    """
    import tensorflow as tf

    from course_lib.models import keras, small_cnn

    keras.utils.set_random_seed(seed)
    with strategy.scope():  # weights made in here exist once on every worker, and stay equal
        model = small_cnn(images.shape[1:], int(label.max()) + 1, mean=images.mean(), variance=images.var())
        optimiser = keras.optimizers.SGD(rate, momentum=0.9)
        optimiser.build(model.trainable_variables)
    loss_of_each = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")

    def one_worker(x, y):  # sees its own share of the batch
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(loss_of_each(y, model(x, training=True)))
            loss = total / batch  # the size of the whole batch, not of this share
        gradient = tape.gradient(loss, model.trainable_variables)
        optimiser.apply(gradient, model.trainable_variables)  # adds up the workers' gradients, then steps
        return loss

    @tf.function
    def all_workers(x, y):
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(one_worker, args=(x, y)), axis=None)

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    batches = tf.data.Dataset.from_tensor_slices((images, label)).batch(batch, drop_remainder=True).repeat()
    shares = iter(strategy.experimental_distribute_dataset(batches.with_options(options)))
    losses = [float(all_workers(*next(shares))) for _ in range(steps)]
    return losses, model.get_weights()


def train(images, label, *, workers, steps, batch, timeout=300):
    """`fit` in several worker processes on this machine, which talk over its loopback interface: (losses, weights).

    batch must be a multiple of workers. No process stays behind, however this ends. Raises ValueError for a batch that
    cannot be shared, RuntimeError if a worker fails, or does not finish within `timeout` seconds.
    """
    if workers < 1 or batch % workers:
        raise ValueError(f"A batch of {batch} images cannot be shared equally by {workers} workers.")
    with tempfile.TemporaryDirectory(prefix="course-workers-", ignore_cleanup_errors=True) as name:
        folder, running = Path(name), []
        np.savez(folder / "data.npz", images=images, label=label)
        (folder / "options.json").write_text(json.dumps({"steps": steps, "batch": batch}), encoding="utf-8")
        cluster = {"worker": [f"127.0.0.1:{port}" for port in _free_ports(workers)]}
        try:
            for index in range(workers):
                environment = _environment({"cluster": cluster, "task": {"type": "worker", "index": index}})
                command = [sys.executable, "-m", "course_lib.lessons.beyond.distribute", str(folder)]
                with (folder / f"worker{index}.txt").open("wb") as said:
                    running.append(
                        subprocess.Popen(
                            command, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT
                        )
                    )
            _wait(running, folder, timeout)
        finally:
            for process in running:
                process.kill()  # does nothing to one that has ended
                process.wait()
                process.stdin.close()
        with np.load(folder / "result.npz", allow_pickle=False) as result:
            return result["losses"].tolist(), [result[f"weight{i}"] for i in range(len(result.files) - 1)]


def ring_seconds(size, gigabits, workers):
    """Seconds in which all workers have the sum of their gradients, if each passes parts on to the next one in a ring.

    size: bytes of the gradients; gigabits: of the network, a second. Each worker sends 2 (workers − 1) / workers of them
    (Patarasuk & Yuan 2009, doi:10.1016/j.jpdc.2008.09.002); delays are left out. 0 for one worker.
    """
    return 8 * size * 2 * (workers - 1) / workers / (1e9 * gigabits)


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _environment(task):
    """What a worker needs to know, in the variable in which clusters say it too. Proxies are not for this machine."""
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    path = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
    small = {"MALLOC_ARENA_MAX": "2"}  # glibc: few memory pools, so that a laptop has room for all workers
    return {**environment, **small, "TF_CONFIG": json.dumps(task), "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"}


def _wait(running, folder, timeout):
    end = time.monotonic() + timeout
    while any(process.poll() is None for process in running):
        if any(process.poll() for process in running):
            break
        if time.monotonic() > end:
            raise RuntimeError(f"The workers had not finished after {timeout} seconds, and were stopped.")
        time.sleep(0.1)
    for index, process in enumerate(running):
        if process.poll():
            said = (folder / f"worker{index}.txt").read_text(encoding="utf-8", errors="replace").strip()
            raise RuntimeError(f"Worker {index} failed; the last that it said: {said[-800:]}")


def _end_with_parent():
    """End this worker when the process that started it is gone, however that came about: its end of the pipe closes."""
    sys.stdin.read()
    os._exit(1)


def _work(folder):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before anything else: it joins the other workers
    with np.load(folder / "data.npz", allow_pickle=False) as data:
        images, label = data["images"], data["label"]
    options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
    losses, weights = fit(strategy, images, label, **options)
    if strategy.cluster_resolver.task_id == 0:  # the chief writes; all workers hold the same weights
        np.savez(folder / "result.npz", losses=losses, **{f"weight{i}": value for i, value in enumerate(weights)})


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
