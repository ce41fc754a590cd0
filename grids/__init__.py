"""The paper's tables as grids, a file each: `kate grid grids/FILE.py --model MODEL`."""
