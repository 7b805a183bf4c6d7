"""What modules make when they are imported, over all of them."""

from importlib import import_module

from msgspec import Struct

from tests.test_architecture import FILES, ROOT, USE_CASES, package_of


def test_a_value_cannot_be_changed_once_it_is_made() -> None:
    paths = [path for path in FILES if package_of(path) in {"domain", "ports", "store", *USE_CASES}]
    modules = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in paths}
    values = {
        value
        for name in modules
        for value in vars(import_module(name)).values()
        if isinstance(value, type) and issubclass(value, Struct) and value is not Struct
    }
    assert len(values) > 100
    # What a reader of the store fills, and hands to nobody.
    filled = {"_Kept", "_Margins", "_Ranges"}
    assert {value.__name__ for value in values if not value.__struct_config__.frozen} == filled
