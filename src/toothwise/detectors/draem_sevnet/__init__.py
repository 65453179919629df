"""DRAEM-SevNet: reconstruction, mask and severity learned from synthetic faults."""
