"""Pictures of one's own: what a folder or an archive holds, as a manifest and as schedules to compare."""
