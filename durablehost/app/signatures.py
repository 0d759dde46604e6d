"""The Python worker's rules for a function's parameters and annotations.

The rules are those of azure_functions_worker 4.34. A function that breaks one of them prevents
every function of the app from loading.
"""

import collections.abc
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azure.functions import get_binding_registry
from azure.functions.decorators.core import Binding

from durablehost.app import advice
from durablehost.app.source import Decorator, decorators_of, parameters_of, user_function_of

_RETURN = "$return"
_OUT = 1  # a binding's direction
_NOT_CLASSES = (typing.Union, tuple, typing.ClassVar, collections.abc.Callable)


@dataclass(frozen=True)
class Fault:
    """The host's message about a rule that a function breaks, and what to write instead."""

    says: str
    advice: str


@dataclass(frozen=True)
class Signature:
    """A function's parameters and their bindings."""

    function: str
    handler: Callable[..., Any]
    parameters: Mapping[str, inspect.Parameter]  # without `context` if it is not a binding
    annotations: Mapping[str, Any]
    bindings: Mapping[str, Binding]  # by parameter, so without `$return`
    returned: Binding | None
    takes_context: bool

    @property
    def route(self) -> str:
        routes = (getattr(binding, "route", None) for binding in self.bindings.values())
        return next((str(route) for route in routes if route), "")

    @property
    def decorators(self) -> Sequence[Decorator]:
        return decorators_of(user_function_of(self.handler))

    @property
    def written(self) -> frozenset[str]:
        """The parameters in the source. A decorator may return a function with other parameters."""
        return parameters_of(user_function_of(self.handler))

    @property
    def types(self) -> dict[str, str]:
        """The bindings' types by their names."""
        return {name: str(binding.type) for name, binding in self.bindings.items()}


def read_signature(
    name: str, handler: Callable[..., Any], bindings: Sequence[Binding]
) -> Signature:
    """Read parameters, annotations and bindings. Raises what evaluating annotations raises."""
    parameters = dict(inspect.signature(handler).parameters)
    bound = {binding.name: binding for binding in bindings}
    returned = bound.pop(_RETURN, None)
    takes_context = "context" in parameters and "context" not in bound
    if takes_context:
        del parameters["context"]
    annotations = typing.get_type_hints(handler)
    return Signature(name, handler, parameters, annotations, bound, returned, takes_context)


def faults(signature: Signature) -> Iterator[Fault]:
    """All faults of a signature, in the order of the worker, which reports only the first."""
    yield from _context_faults(signature)
    yield from _name_faults(signature)
    for name in signature.parameters:
        if name in signature.bindings:
            yield from _parameter_faults(signature, name)
    yield from _return_faults(signature)


def _fault(signature: Signature, words: str, advised: str) -> Fault:
    return Fault(
        f"FunctionLoadError: cannot load the {signature.function} function: {words}", advised
    )


def _context_faults(signature: Signature) -> Iterator[Fault]:
    if not signature.takes_context or "context" not in signature.annotations:
        return
    annotation = signature.annotations["context"]
    if not isinstance(annotation, type) or annotation.__name__ != "Context":
        yield _fault(
            signature,
            'the "context" parameter is expected to be of type azure.functions.Context, '
            f"got {annotation!r}",
            advice.on_context(signature.function, signature.types),
        )


def _name_faults(signature: Signature) -> Iterator[Fault]:
    declared, types = set(signature.parameters), signature.types
    if unbound := declared - types.keys():
        yield _fault(
            signature,
            "the following parameters are declared in Python but not in function.json: "
            + _as_set(unbound),
            advice.on_two_objects(signature.decorators)
            or advice.on_parted(signature.decorators)
            or advice.on_unbound(signature.function, signature.parameters, types, signature.route),
        )
    if unused := types.keys() - declared:
        name = min(unused)
        yield _fault(
            signature,
            "the following parameters are declared in function.json but not in Python: "
            + _as_set(unused),
            advice.on_foreign_client(signature.function, types[name], signature.decorators)
            or advice.on_hidden(signature.function, name, signature.written)
            or advice.on_unused(
                signature.function, name, types[name], takes_context=signature.takes_context
            ),
        )


def _as_set(names: set[str]) -> str:
    return "{" + ", ".join(repr(name) for name in sorted(names)) + "}"


def _parameter_faults(signature: Signature, name: str) -> Iterator[Fault]:
    if name not in signature.annotations:
        return
    binding, annotation = signature.bindings[name], signature.annotations[name]
    expected = annotation
    if is_out := _is_out(annotation):
        if len(typing.get_args(annotation)) != 1:
            words = f"binding {name} has invalid Out annotation {annotation!r}"
            yield _fault(signature, words, f"Say of what: `{name}: func.Out[str]`.")
            return
        expected = typing.get_args(annotation)[0]
    if not _is_acceptable(expected):
        words = f"binding {name} has invalid non-type annotation {annotation!r}"
        yield _fault(signature, words, advice.on_annotation(name, annotation))
    elif (binding.direction == _OUT) != is_out:
        yield _direction_fault(signature, name, is_out=is_out)
    elif not _fits(binding, expected, is_out=is_out):
        words = (
            f'{name!r} binding type "{binding.type}" and dataType "{binding.data_type}" in '
            "function.json do not match the corresponding function parameter's Python type "
            f'annotation "{expected.__name__}"'
        )
        on_value = advice.on_output_value if is_out else advice.on_trigger_value
        yield _fault(signature, words, on_value(name, str(binding.type)))


def _direction_fault(signature: Signature, name: str, *, is_out: bool) -> Fault:
    if is_out:
        words = (
            f'binding {name} is declared to have the "in" direction in function.json, '
            "but its annotation is azure.functions.Out in Python"
        )
        return _fault(signature, words, f"`{name}` is an input: leave `func.Out` away.")
    words = (
        f'binding {name} is declared to have the "out" direction, '
        "but its annotation in Python is not a subclass of azure.functions.Out"
    )
    return _fault(signature, words, f"Write `{name}: func.Out[str]`, and `{name}.set(...)`.")


def _is_out(annotation: Any) -> bool:
    origin = typing.get_origin(annotation) or annotation
    return isinstance(origin, type) and origin.__name__ == "Out"


def _is_acceptable(annotation: Any) -> bool:
    """Whether the worker accepts it as a type: a class, or an alias in `typing` of a class.

    `dict[str, int]` is neither, `typing.Dict[str, int]` is; unions and tuples are not.
    """
    if isinstance(annotation, type):
        return True
    is_alias = type(annotation).__module__ == "typing" and hasattr(annotation, "__origin__")
    return is_alias and annotation.__origin__ not in _NOT_CLASSES


def _fits(binding: Binding, expected: Any, *, is_out: bool) -> bool:
    binding_type = str(binding.type)
    as_text = expected in (str, bytes) and not has_implicit_output(binding_type)
    converter = None if as_text else converter_of(binding_type)
    if converter is None:
        return issubclass(expected, (str, bytes, bytearray) if is_out else (str, bytes))
    if is_out:
        return bool(converter.check_output_type_annotation(expected))
    return bool(converter.check_input_type_annotation(expected))


def converter_of(binding_type: str) -> Any:
    """The SDK's converter for values of a binding; None if it has none."""
    return get_binding_registry().get(binding_type)  # type: ignore[no-untyped-call] # the SDK's


def has_implicit_output(binding_type: str) -> bool:
    """Whether a function with this binding may return a value without a `$return` binding."""
    converter = converter_of(binding_type)
    if converter is None:
        return binding_type != "durableClient"
    implicit = getattr(converter, "has_implicit_output", None)
    return bool(implicit and implicit())


def _return_faults(signature: Signature) -> Iterator[Fault]:
    if signature.returned is None or "return" not in signature.annotations:
        return
    annotation = signature.annotations["return"]
    binding_type = str(signature.returned.type)
    advised = advice.on_return(binding_type)
    if _is_bare_generic(annotation):  # the worker fails on these itself
        yield Fault("AttributeError: 'NoneType' object has no attribute '__name__'", advised)
    elif typing.get_origin(annotation) and _is_out(annotation):
        yield _fault(signature, "return annotation should not be azure.functions.Out", advised)
    elif not isinstance(annotation, type):
        words = f"has invalid non-type return annotation {annotation!r}"
        yield _fault(signature, words, advised)
    elif not _fits_return(binding_type, annotation):
        words = (
            f'Python return annotation "{annotation.__name__}" '
            f'does not match binding type "{binding_type}"'
        )
        yield _fault(signature, words, advised)


def _is_bare_generic(annotation: Any) -> bool:
    if isinstance(annotation, type):
        return typing.Generic in annotation.__mro__
    return _is_acceptable(annotation) and not hasattr(annotation, "__args__")


def _fits_return(binding_type: str, annotation: type) -> bool:
    converter = converter_of(binding_type)
    if converter is None:
        return issubclass(annotation, (str, bytes, bytearray))
    return bool(converter.check_output_type_annotation(annotation))
