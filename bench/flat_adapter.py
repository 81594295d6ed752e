"""The bundled family on a device whose passes take the same time whatever they are fed, by `--adapter`.

That is a large model on a data-centre GPU, nearly: there a pass reads all weights, and entries add little. Each forward
ends no sooner than `SJD2_FLAT` milliseconds after it began; on a CPU choose more than the widest one computes.
"""

import os
import time

from sjd2_worker.adapters.scenes import ScenesAdapter

SECONDS = float(os.environ.get("SJD2_FLAT", "100")) / 1000


class FlatAdapter(ScenesAdapter):
    def forward(self, entries, attend):
        end = time.monotonic() + SECONDS
        logits = super().forward(entries, attend)
        time.sleep(max(0.0, end - time.monotonic()))
        return logits


load = FlatAdapter
