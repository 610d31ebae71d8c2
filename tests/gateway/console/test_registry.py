import pkgutil

from gateway.console import pages
from gateway.console.registry import all_pages


def test_every_module_of_pages_gives_one_in_the_order_of_the_menu() -> None:
    found = all_pages()
    assert {page.name for page in found} == {info.name for info in pkgutil.iter_modules(pages.__path__)}
    orders = [page.order for page in found if page.order is not None]
    assert orders == sorted(set(orders))
    assert [page.order for page in found][: len(orders)] == orders
    assert found[0].name == "site"
