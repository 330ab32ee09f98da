"""Compare results, and say what differs without giving the expected value away."""

import copy
import numbers
import reprlib

import numpy as np

PRINTABLE_NUMBERS = 16  # arrays up to this size are printed in full: a 4×4 image


def same(a, b, equal_nan=False):
    """Whether two results are equal: nested tuples, lists and dicts by their parts, numbers to a relative 1e-4."""
    if isinstance(a, dict) or isinstance(b, dict):
        return (
            isinstance(a, dict)
            and isinstance(b, dict)
            and a.keys() == b.keys()
            and all(same(a[key], b[key], equal_nan) for key in a)
        )
    a_array, b_array = as_numbers(a), as_numbers(b)
    if a_array is not None and b_array is not None:
        return a_array.shape == b_array.shape and bool(close(a_array, b_array, equal_nan).all())
    if a_array is not None or b_array is not None:
        return False
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

    An array counts as the tuple of its parts, and 3.0 as the whole number 3.
    """
    if isinstance(expected, tuple):
        array = None if isinstance(result, tuple | list) else as_numbers(result)
        parts = result if array is None or array.ndim == 0 else list(array)
        if not isinstance(parts, tuple | list) or len(parts) != len(expected):
            return (
                f"the function must return {len(expected)} values, separated by commas; yours returned {shown(result)}."
            )
        for place, (part, right) in enumerate(zip(parts, expected, strict=True), start=1):
            complaint = difference(part, right)
            if complaint:
                return f"value number {place}: {complaint}"
        return None
    right = as_numbers(expected)
    if right is None:
        return None if same(result, expected) else f"your result {shown(result)} is not right."
    found = as_numbers(result)
    if found is None:
        return (
            f"the result must be {'a number' if right.ndim == 0 else 'an array of numbers'}; yours is {shown(result)}."
        )
    if found.shape != right.shape:
        yours, wanted = ("one number" if array.ndim == 0 else f"of shape {array.shape}" for array in (found, right))
        return f"your result is {yours}; wanted is {wanted if right.ndim == 0 else f'an array {wanted}'}."
    if right.dtype.kind == "b" and right.ndim == 0:
        if found.dtype.kind != "b":
            return f"the result must be True or False; yours is {shown(result)}."
    elif right.dtype.kind in "iu" and right.ndim == 0:
        if found.dtype.kind == "b" or not is_whole(found):
            return f"the result must be a whole number; yours is {shown(result)}."
    if not is_finite(found) and is_finite(right):
        return NOT_FINITE
    off = ~close(found, right, equal_nan=True)
    if not off.any():
        return None
    if right.ndim == 0:
        return f"your result {shown(result)} is not right."
    place = tuple(int(i) for i in np.argwhere(off)[0])
    return (
        f"{int(off.sum())} of {off.size} values are not right; the first is at index {place}, "
        f"where you have {found[place]:.6g}."
    )


NOT_FINITE = "your result contains NaN or infinity, which come from dividing by 0, from an overflow, or the like."


def is_whole(array):
    return array.dtype.kind in "iu" or bool((np.isfinite(array) & (array == np.rint(array))).all())


def relation(results, expected):
    """A sentence if all results are related to the expected ones in one simple way, otherwise None.

    At least two results must tell: they differ from what is expected, and the relation says something about them
    (turning a constant row round says nothing), and no two tell the same.
    """
    pairs = [(as_numbers(a), as_numbers(b)) for a, b in zip(results, expected, strict=True)]
    if any(a is None or b is None or a.size == 0 or a.size != b.size for a, b in pairs):
        return None
    kinds = {b.dtype.kind for _, b in pairs}
    pairs = [(a.astype(np.float64), b.astype(np.float64)) for a, b in pairs]
    if not all(np.isfinite(a).all() and np.isfinite(b).all() for a, b in pairs):
        return None

    def holds(change, least=1):
        telling = []
        for a, b in pairs:
            wanted = change(b)
            if a.shape != wanted.shape or not close(a, wanted, False).all():
                return False
            tells = b.size >= least and (a.shape != b.shape or not close(a, b, False).all())
            if tells and not any(same(b, other) for other in telling):
                telling.append(b)
        return len(telling) >= 2

    if kinds == {"b"}:
        return "You answer True where it should be False, and the other way round." if holds(lambda b: 1 - b) else None
    if holds(np.negative):
        return "Your values have the other sign throughout."
    factors = {id(b): float((a * b).sum() / (b * b).sum()) for a, b in pairs if a.shape == b.shape and b.any()}
    factor = next(iter(factors.values()), 0.0)
    if holds(lambda b: b * factor):
        name = next((name for name, simple in _FACTORS.items() if np.isclose(factor, simple, rtol=1e-4)), None)
        return f"Your values are ours times {name or 'one and the same factor'} throughout."
    if holds(lambda b: b * factors.get(id(b), 1.0), least=3):
        return "On each input, all your values are ours times one factor. What do you divide or multiply by?"
    offset = float((pairs[0][0].ravel() - pairs[0][1].ravel()).mean())
    if holds(lambda b: b + offset):
        named = f"ours plus {offset:g}" if offset == 1 else f"ours minus {-offset:g}" if offset == -1 else None
        return f"Your values are {named or 'ours plus one and the same number'} throughout."
    if holds(np.transpose):
        return "Your values are ours transposed: rows and columns have changed places."
    axes = range(max(b.ndim for _, b in pairs))
    if holds(np.flip) or any(holds(lambda b, axis=axis: np.flip(b, axis) if axis < b.ndim else b) for axis in axes):
        return "Your values are ours in reverse order."
    if any(_shifted(pairs, step, axis) for axis in axes for step in (1, -1)):
        return "Your values are ours shifted by one place."
    return None


_FACTORS = {"2": 2, "3": 3, "4": 4, "10": 10, "100": 100, "255": 255, "1000": 1000}
_FACTORS |= {f"1/{name}": 1 / factor for name, factor in _FACTORS.items()}


def _shifted(pairs, step, axis):
    """Whether at least two results are the expected ones moved along an axis; what comes in at the edge is free."""
    telling = 0
    for a, b in pairs:
        if a.shape != b.shape or axis >= b.ndim:
            return False
        a, b = np.moveaxis(a, axis, 0)[::step], np.moveaxis(b, axis, 0)[::step]
        if not close(a[1:], b[:-1], False).all():
            return False
        telling += len(b) >= 4 and not same(b[1:], b[:-1])
    return telling >= 2


def converter(examples):
    """The function that brings a right result into the form in which the reference returned its own (`examples`).

    A list or a tensor becomes an array, an array of several values a tuple, a whole float an int where all examples
    are whole. Values never change: 2.5 stays 2.5.
    """
    first = examples[0]
    if all(isinstance(example, tuple) and len(example) == len(first) for example in examples):
        parts = [converter(values) for values in zip(*examples, strict=True)]

        def to_tuple(result):
            values = result if isinstance(result, tuple | list) else np.asarray(result)
            return tuple(part(value) for part, value in zip(parts, values, strict=True))

        return to_tuple
    arrays = [as_numbers(example) for example in examples]
    if any(array is None for array in arrays) or isinstance(first, list | dict):
        of = type(first)
        if all(isinstance(example, np.ndarray) for example in examples):
            return np.asarray
        return lambda result: np.asarray(result).tolist() if of is list and not isinstance(result, list) else result
    dtype = np.result_type(*arrays)
    plain = all(isinstance(example, bool | int | float) for example in examples)

    def to_numbers(result):
        if type(result) is float and plain and dtype.kind == "f":
            return result
        array = result if type(result) is np.ndarray else np.asarray(result)
        if array.dtype.kind != dtype.kind:
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
        if isinstance(value, np.ndarray) and value.size <= PRINTABLE_NUMBERS:
            return shortened(np.array2string(value, separator=", "), 200)
        return shortened(_described(value))
    except Exception:  # a student's class may have a broken __repr__
        return f"an object of type {type(value).__name__}"


def _described(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, np.generic):
        value = value.item()  # 2.5 reads better than np.float64(2.5)
    if callable(value):
        return f"the function {getattr(value, '__name__', '')}".strip()
    return _SHORT.repr(value)


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
