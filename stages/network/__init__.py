"""The pre-trained network outside training: loaded, cut, its frozen part run and stored."""
