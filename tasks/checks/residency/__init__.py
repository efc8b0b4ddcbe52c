"""Where data and its copies lie, who reaches and carries them, and who answers for it in law: 23 controls.

Law: one file a control, by its code in the catalogue; what was observed, when and how, never a legal
conclusion. What could not be seen is no pass, and where a part can be asked, a statement does not replace it.
"""
