"""Your own pictures: what a folder or an archive holds, written as a manifest and as schedules to compare."""
