# Aliases for those used to make; run.py is the entry.
.PHONY: demo test lint bench chaos up
demo test lint bench chaos up:
	@python3 run.py $@
