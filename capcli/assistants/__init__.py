"""The AI clients that can start our server: where each keeps its config, and what in it points at us.

Reads only. What stands in these files is data of other programs; secrets in them are never repeated.
"""
