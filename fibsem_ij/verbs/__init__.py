"""The rooms' verbs over files: opened by the doors, done by a room, written by the doors. The command line and the pipeline both call
these, so that a stage of a recipe does what its command does.

`resume` says what a result is made of: with it, a stopped run goes on at the slice where it stopped (see `files.create`).
"""
