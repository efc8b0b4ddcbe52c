"""The order of the steps, and what to do when one says no; and the command line that starts them.

Law: flows call steps, never a driver or a room below them; no judgement and no parsing in here. Never name
a file here `inventory.py` or `tasks.py`: it would shadow the packages when Prefect loads a flow by its path.
"""
