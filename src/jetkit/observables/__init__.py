"""Observables: functions of a batch of jets or events, as columns, images, trees or splittings."""
