"""The four patch languages, on plain JSON values: JSON Patch, merge, strategic merge, server-side apply.

Nothing here does I/O or changes its inputs. What a list or a map means is read from the kind's shape
(`schema.shape`), so that patches, apply and the published schemas cannot disagree.
"""
