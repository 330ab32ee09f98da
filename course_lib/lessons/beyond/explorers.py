"""Explorers of the lesson on what lies beyond the notebook."""

import numpy as np

from course_lib import plot
from course_lib.explorers import Explorer, slider
from course_lib.lessons.beyond import distribute

WORKERS = np.array([1, 2, 4, 8, 16, 32, 64])


def more_workers() -> Explorer:
    """What more machines buy, if a step has to compute first and to exchange gradients afterwards."""
    return Explorer(
        _draw_more_workers,
        {
            "compute": slider("Seconds that one worker computes a step", 0.1, 10.0, 1.0, step=0.1),
            "millions": slider("Weights, in millions", 1, 500, 25),
            "gigabits": slider("Network, gigabits a second", 1, 100, 10),
        },
        alt="Left: bars of the seconds a step takes with 1 to 64 workers, split into computing and exchanging. Right: the "
        "speed-up against the number of workers, with the line of as many times as workers.",
        caption="A calculation, no measurement: each worker computes its share, then all exchange float32 gradients in a ring "
        "(Patarasuk & Yuan 2009, doi:10.1016/j.jpdc.2008.09.002), at the full speed of the network and without any delay.",
        size=(10, 3.5),
    )


def _draw_more_workers(figure, compute, millions, gigabits):
    exchange = np.array([distribute.ring_seconds(4e6 * millions, gigabits, workers) for workers in WORKERS])
    share, places = compute / WORKERS, np.arange(len(WORKERS))
    left, right = figure.subplots(1, 2)
    left.bar(places, share, color=plot.COLOURS["blue"], label="computing")
    left.bar(places, exchange, bottom=share, color=plot.COLOURS["orange"], label="exchanging")
    left.set_xticks(places, WORKERS)
    left.set(xlabel="workers", ylabel="seconds a step", ylim=(0, 1.25 * (share + exchange).max()))
    left.legend(loc="upper right", ncols=2)
    right.loglog(WORKERS, WORKERS, ":", color="0.5", label="as many times as workers")
    right.loglog(
        WORKERS, compute / (share + exchange), "o-", color=plot.COLOURS["vermilion"], label="with the exchange"
    )
    right.set_xticks(WORKERS, WORKERS)
    right.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    right.minorticks_off()
    right.set(xlabel="workers", ylabel="times as fast as one", ylim=(0.02, 100))
    right.legend(loc="lower right", fontsize=9)
