"""Overlays: what one deployment wants tighter than the contract says, and the proof that it only is tighter.

An overlay is laid over the parsed files, so that everything that reads and checks a contract reads and checks the
outcome. It can name what is there and make it less; it has no words to add anything. Runs no program, reads no clock.
"""
