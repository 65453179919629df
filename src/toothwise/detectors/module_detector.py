"""What the trained detectors share: an anomalib module whose weights are the state, and images on one healthy scale."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch

from toothwise.detectors.base import Detector
from toothwise.errors import InputError


class ModuleDetector(Detector):
    """A detector that trains a module and holds its weights.

    A subclass sets ``_images`` (with ``state`` and ``restore``), says how the module is made (``_make_module``), sets
    ``_module`` when it is fitted, and names the part whose weights are not saved (``frozen``).
    """

    frozen: ClassVar[str] = ""  # beginning of the names of weights that come from elsewhere
    _images: Any
    _module: Any = None

    @abstractmethod
    def _make_module(self, shape: tuple[int, int] | None) -> Any:
        """The module for maps of this shape, with nothing learned."""

    def _fitted(self) -> Any:
        if self._module is None:
            raise InputError(f"{self.name} has not been fitted: fit it first")
        return self._module

    def _network(self) -> Any:
        """What maps images to scores."""
        return self._fitted().model

    def _learned(self, name: str) -> bool:
        return not self.frozen or not name.startswith(self.frozen)

    def _state(self) -> dict[str, np.ndarray]:
        weights = self._network().state_dict()
        return {k: v.detach().cpu().numpy() for k, v in weights.items() if self._learned(k)} | self._images.state()

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._images.restore(state)
        module = self._make_module(self.shape).eval()
        own = module.model.state_dict()
        for name in filter(self._learned, own):
            own[name] = torch.from_numpy(np.array(state[name])).reshape(own[name].shape)
        module.model.load_state_dict(own)
        self._module = module
