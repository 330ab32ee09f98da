"""Compare results, and say what differs without giving the expected value away."""

import copy
import numbers
import reprlib
from functools import partial

import numpy as np

PRINTABLE_NUMBERS = 16  # arrays up to this size are printed in full: a 4×4 image


def same(a, b, equal_nan=False):
    """Whether two results are equal: nested tuples, lists and dicts by their parts, numbers as in `close`."""
    a_array, b_array = as_numbers(a), as_numbers(b)
    if a_array is not None and b_array is not None:
        return a_array.shape == b_array.shape and bool(close(a_array, b_array, equal_nan).all())
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key], equal_nan) for key in a)
    a, b = (x.tolist() if isinstance(x, np.ndarray) else x for x in (a, b))  # arrays of texts
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(same(x, y, equal_nan) for x, y in zip(a, b, strict=True))
    try:
        return a is b or bool(a == b)
    except Exception:  # objects whose == does not give one truth value are not results of any exercise
        return False


def close(a, b, equal_nan):
    """Where two arrays of one shape are equal: whole numbers exactly, others to a relative 1e-4 or a millionth of the
    largest value in `b`."""
    if b.dtype.kind in "iu" and is_whole(a):
        return a == b
    a, b = a.astype(np.float64), b.astype(np.float64)
    scale = max(1.0, np.max(np.abs(b), initial=0.0, where=np.isfinite(b)))
    return np.isclose(a, b, rtol=1e-4, atol=1e-6 * scale, equal_nan=equal_nan)


def as_numbers(value):
    """`value` as an array of numbers or booleans, or None if it is not one."""
    try:
        array = np.asarray(value)
        if array.dtype == object and all(isinstance(part, numbers.Real) for part in array.flat):
            array = array.astype(np.float64)  # Fraction, or an int beyond 64 bits
    except Exception:  # ragged lists raise ValueError, foreign objects anything
        return None
    return array if array.dtype.kind in "buif" else None


def snapshot(value):
    """A copy of a result, since a function may change in its next call what it returned; or the result itself."""
    if isinstance(value, np.ndarray) and value.size > 10**7:  # a broadcast view may be larger than the memory
        return value
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def is_finite(value):
    """Whether all numbers in a result, nested or not, are neither NaN nor infinite."""
    array = as_numbers(value)
    if array is not None:
        return bool(np.isfinite(array).all())
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return all(is_finite(part) for part in parts)


def difference(result, expected):
    """None if equal, otherwise half a sentence that says which property differs, without the expected value.

    An array counts as the tuple of its parts, and 3.0 as the whole number 3: `converter` makes it one.
    """
    found = as_numbers(result)
    if isinstance(expected, tuple):
        parts = result if isinstance(result, tuple | list) or found is None or found.ndim == 0 else list(found)
        if not isinstance(parts, tuple | list) or len(parts) != len(expected):
            return (
                f"the function must return {len(expected)} values, separated by commas; yours returned {shown(result)}."
            )
        complaints = (difference(part, right) for part, right in zip(parts, expected, strict=True))
        return next((f"value number {place}: {text}" for place, text in enumerate(complaints, start=1) if text), None)
    right = as_numbers(expected)
    if right is None:
        return None if same(result, expected) else f"your result {shown(result)} is not right."
    if found is None:
        kind = "an array of numbers" if right.ndim else "a number"
        return f"the result must be {kind}; yours is {shown(result)}."
    if found.shape != right.shape:
        yours, wanted = (f"an array of shape {x.shape}" if x.ndim else "one number" for x in (found, right))
        return f"your result is {yours}; wanted is {wanted}."
    if right.ndim == 0 and right.dtype.kind == "b" and found.dtype.kind != "b":
        return f"the result must be True or False; yours is {shown(result)}."
    if right.ndim == 0 and right.dtype.kind in "iu" and not is_whole(found):
        return f"the result must be a whole number; yours is {shown(result)}."
    if is_finite(right) and not is_finite(found):
        return NOT_FINITE
    off = ~close(found, right, equal_nan=True)
    if not off.any():
        return None
    if right.ndim == 0:
        return f"your result {shown(result)} is not right."
    place = tuple(int(i) for i in np.argwhere(off)[0])
    here = f"the first is at index {place}, where you have {found[place]:.6g}"
    return f"{int(off.sum())} of {off.size} values are not right; {here}."


NOT_FINITE = "your result contains NaN or infinity, which come from dividing by 0, from an overflow, or the like."


def is_whole(array):
    """Whether all numbers of an array are whole, whatever its dtype; True and False are not."""
    return array.dtype.kind in "iu" or array.dtype.kind == "f" and bool((array == np.rint(array)).all())


def relation(results, expected):
    """A sentence if all results are related to the expected ones in one simple way, otherwise None.

    At least two results must tell: they differ from what is expected, and no two expect the same.
    """
    pairs = [(as_numbers(a), as_numbers(b)) for a, b in zip(results, expected, strict=True)]
    if any(a is None or b is None or a.size == 0 or a.size != b.size for a, b in pairs):
        return None
    truth = all(b.dtype.kind == "b" for _, b in pairs)
    pairs = [(a.astype(np.float64), b.astype(np.float64)) for a, b in pairs]
    if not all(is_finite(a) and is_finite(b) for a, b in pairs):
        return None
    # Each as (result, expected, the factor between them): one for all inputs, or one for each (a forgotten ddof).
    triples = [(a, b, a.shape == b.shape and b.any() and (a * b).sum() / (b * b).sum() or 1.0) for a, b in pairs]
    factor = next((own for _, b, own in triples if b.any()), 1.0)
    simple = [n for n in _SIMPLE if np.isclose(abs(factor), (n, 1 / n), rtol=1e-4).any()]
    sign = "−" if factor < 0 else ""
    times = sign + (f"{simple[0]}" if abs(factor) > 1 else f"1/{simple[0]}") if simple else "one and the same factor"
    offset = (pairs[0][0].ravel() - pairs[0][1].ravel()).mean()
    one = f"1 {'more' if offset > 0 else 'less'} than ours"
    plus = one if np.isclose(abs(offset), 1) else "ours plus one number"
    axes = range(max(b.ndim for _, b in pairs))
    relations = [
        ("True where ours are False, and the other way round", lambda a, b, own: 1 - b if truth else b),
        ("ours with the other sign", lambda a, b, own: -b),
        (f"ours times {times}", lambda a, b, own: b * factor),
        ("ours times one factor on each input", lambda a, b, own: b * own if b.size > 2 else b),
        (plus, lambda a, b, own: b + offset),
        ("ours transposed: rows and columns have changed places", lambda a, b, own: b.T),
        ("ours in reverse order", lambda a, b, own: np.flip(b)),
        *(("ours in reverse order", partial(_flipped, axis=axis)) for axis in axes),
        *(("ours shifted by one place", partial(_moved, axis=axis, step=step)) for axis in axes for step in (1, -1)),
    ]
    for words, change in relations:
        telling = []
        for a, b, own in triples:
            wanted = change(a, b, own)
            if a.shape != wanted.shape or not close(a, wanted, False).all():
                break
            if not same(a, b) and not any(same(b, other) for other in telling):
                telling.append(b)
        else:
            if len(telling) >= 2:
                return f"Your values are {words}."
    return None


def _flipped(_a, b, _own, axis):
    return np.flip(b, axis) if axis < b.ndim else b


def _moved(a, b, _own, axis, step):
    """`b` moved along an axis; what comes in at the edge is free, so it is taken from `a`."""
    if a.shape != b.shape or axis >= b.ndim or b.shape[axis] < 4:
        return b
    edge = (slice(None),) * axis + (0 if step > 0 else -1,)
    wanted = np.roll(b, step, axis)
    wanted[edge] = a[edge]
    return wanted


_SIMPLE = (2, 3, 4, 10, 100, 255, 1000)


def converter(examples, kinds="biufO"):
    """The function that brings a right result into the form in which the reference returned its own (`examples`).

    A list or a tensor becomes an array, an array of several values a tuple, a whole float an int where all examples
    are whole. Values never change: 2.5 stays 2.5. kinds: the kinds of dtype that may become another.
    """
    first, arrays = examples[0], [as_numbers(example) for example in examples]
    if isinstance(first, tuple):
        parts = [converter(values, kinds) for values in zip(*examples, strict=False)]
        return lambda result: tuple(
            part(value)
            for part, value in zip(
                parts, result if isinstance(result, tuple | list) else np.asarray(result), strict=True
            )
        )
    if isinstance(first, list):
        return lambda result: result if isinstance(result, list) else np.asarray(result).tolist()
    if any(array is None for array in arrays):
        return np.asarray if isinstance(first, np.ndarray) else lambda result: result
    dtype = np.result_type(*arrays)
    plain = all(isinstance(example, bool | int | float) for example in examples)

    def to_numbers(result):
        array = result if type(result) is np.ndarray else np.asarray(result)
        if array.dtype.kind != dtype.kind and array.dtype.kind in kinds:
            with np.errstate(invalid="ignore"):  # NaN as a whole number
                cast = array.astype(dtype)
            array = cast if np.array_equal(cast, array) else array
        return array if array.ndim else array.item() if plain else array[()]

    return to_numbers


def run(function, arguments):
    """Call the function with a copy of the arguments."""
    return function(*copy.deepcopy(arguments))


def call(arguments):
    """Half a sentence that names the arguments."""
    return f"the arguments {', '.join(shown(a) for a in arguments)}" if arguments else "no arguments"


def is_printable(arguments):
    """Whether `call` shows these arguments in full."""
    text = call(arguments)
    return "an array of shape" not in text and "…" not in text and "..." not in text


def shown(value):
    """A short description of any value: small arrays, numbers and texts as they are, larger arrays by their shape."""
    try:
        if isinstance(value, np.ndarray):
            small = value.size <= PRINTABLE_NUMBERS
            return (
                shortened(np.array2string(value, separator=", "), 200) if small else f"an array of shape {value.shape}"
            )
        if callable(value):
            return shortened(f"the function {getattr(value, '__name__', '')}".strip())
        # 2.5 reads better than np.float64(2.5).
        return shortened(_SHORT.repr(value.item() if isinstance(value, np.generic) else value))
    except Exception:  # a student's class may have a broken __repr__
        return f"an object of type {type(value).__name__}"


# repr() would walk through the whole of a long list.
_SHORT = reprlib.Repr()
_SHORT.maxtuple = _SHORT.maxlist = _SHORT.maxdict = 9
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


def told(error):
    """Name and words of an exception; a student's own exception may fail to say its words."""
    try:
        words = str(error)
    except Exception:
        words = ""
    return shortened(f"{type(error).__name__}: {words}" if words else type(error).__name__, 300)


def shortened(text, length=90):
    """The text in one line of at most `length` characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
