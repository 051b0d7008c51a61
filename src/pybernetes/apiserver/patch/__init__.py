"""The four kinds of patches on plain JSON values: JSON Patch, merge, strategic merge, server-side apply.

Nothing here does I/O or changes its inputs. How lists and maps merge is read from the kind's `Shape`, as OpenAPI does,
so that patches and published schemas agree.
"""
