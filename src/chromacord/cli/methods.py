"""`chromacord methods`: list the methods and their weights."""

from typing import Annotated

from typer import Option

from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job

Cards = Annotated[
    bool, Option("--cards", help="Show the weights of learned methods: licence, training data, figures, limits.")
]


def methods(*, cards: Cards = False) -> None:
    """List the methods, or the cards of their weights."""
    with job(choose_display(quiet=True)):
        if cards:
            _print_cards()
        else:
            _print_methods()


def _print_methods() -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from chromacord.methods import DEFAULT_METHOD, list_methods

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "kind", "what it does"):
        table.add_column(heading, no_wrap=heading != "what it does")
    infos = list_methods()
    for method in infos:
        note = " (the default)" if method.name == DEFAULT_METHOD else ""
        if method.install:
            note += "; needs torch"
        if not method.has_weights:
            note += f"; without weights: train some, and give {method.name}:weights=PATH"
        table.add_row(
            method.name,
            "learned" if method.is_learned else "classical",
            escape(method.description + note + ("" if method.is_global else "; its grade varies over the picture")),
        )
    Console().print(table)
    Console().print("\nAny grade can be written as a LUT with --lut-out.")
    for command in sorted({method.install for method in infos if method.install}):
        print(f"To install what the others need: {command}")


def _print_cards() -> None:
    from chromacord.methods import list_cards

    texts = [card.describe() for card in list_cards()]
    print("\n\n".join(texts) or "no weights are shipped: all methods are classical")
