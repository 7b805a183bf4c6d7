"""AI clients that can start our server: where each keeps its config, and its entries for capcli.

Reads only. These files belong to other programs; secrets in them are never repeated.
"""
