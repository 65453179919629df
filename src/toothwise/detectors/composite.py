"""Detectors made of others, which are saved with them, and exported and opened on their own."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from toothwise.detectors.base import Detector


def part_of(state: dict[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin so, by the rest of their names."""
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}


class Composite(Detector):
    """A detector that holds others: ``parts`` by name, whose arrays are saved behind ``prefix``."""

    prefix: ClassVar[str] = ""
    parts: dict[str, Detector]

    @classmethod
    def assemble(
        cls, options: dict[str, Any], parts: dict[str, Detector], state: dict[str, np.ndarray], shape: tuple[int, int]
    ) -> Composite:
        """One whose parts are there already, with ``own_state`` of the fitted one."""
        made = cls.__new__(cls)
        Detector.__init__(made, **options)
        made.parts, made.shape = parts, shape
        made._restore_own(state)
        return made

    @abstractmethod
    def own_state(self) -> dict[str, np.ndarray]:
        """What was learned besides the parts."""

    @abstractmethod
    def _restore_own(self, state: dict[str, np.ndarray]) -> None: ...

    def _info_of(self, name: str) -> dict[str, Any]:
        """What the part of a name said of its fit."""
        return dict(self.info.get(name, {}))

    def _state(self) -> dict[str, np.ndarray]:
        state = self.own_state()
        for name, part in self.parts.items():
            state |= {f"{self.prefix}{name}.{k}": v for k, v in part._state().items()}
        return state

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        for name, part in self.parts.items():
            part.shape, part.info = self.shape, self._info_of(name)
            part._restore(part_of(state, f"{self.prefix}{name}."))
        self._restore_own(state)
