"""Observers in cells: each prints into the cell that made its card, whichever cell runs meanwhile."""

from __future__ import annotations

from generations import on_both_ends

_CELL = """
def told_{number}(change):
    print({number}, change["new"])

card_{number} = nk.image("A lighthouse, {number}", size="512x512")
card_{number}.observe(told_{number}, "status")
"""
_CELLS = range(7)


@on_both_ends
def test_observers_of_seven_cells_print_into_their_own_cells(kernel, sandbox):
    """All seven jobs end after the last of the cells, in another order, and after one that belongs to nobody."""
    sandbox.next_duration(*(60.0 - 5.0 * number for number in _CELLS))  # 3 s and less; the last one ends first
    cells = [kernel.ok(_CELL.format(number=number)) for number in _CELLS]
    other = kernel.ok("print('another')")
    for number, cell in zip(_CELLS, cells, strict=True):
        kernel.until(lambda cell=cell, last=f"{number} completed": last in cell.text, what=f"{number} has printed")
    for number, cell in zip(_CELLS, cells, strict=True):
        lines = cell.text.splitlines()
        assert {line.split()[0] for line in lines} == {str(number)}, lines
        assert lines.count(f"{number} completed") == 1
    assert other.text == "another\n"
    assert kernel.strays == []
    assert kernel.troubles() == ""
