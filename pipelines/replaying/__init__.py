"""A past night made again from landing, in a place of its own, and compared with what went out.

What governed the night then is copied from the lake as it stood when the night was published
(`state`): sources, versions, decisions, editions, and the figures of earlier nights that a night
looks back at. All else is made anew from landed bytes (`night`), by the code of then (`checkout`),
and compared with what was published: hashes of tables, bytes of extracts, the brief (`compare`).

Left out: the analysts' file, which holds other nights too, and what the night fetched: landing has
it. Versions of single vehicles that are forgotten can't be read again: the counts made from them
are taken as they were kept, and that is told.
"""
