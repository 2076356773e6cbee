"""The brief: one page that people look at, made of a night's figures.

`figures` and `tables` choose what is shown, `charts` and `maps` draw it, `words` says it in three
languages, `page` puts it together. Frames in, HTML out: `pipelines.briefing` reads the frames.
"""
