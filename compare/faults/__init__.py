"""The faults, one topic after the other: the published ones (F1 to F35) and those that people make besides."""

from twofold.compare.faults import convolution, elementwise, linear, losses, norms, optimizers, protocol, recurrent
from twofold.compare.faults.fault import Fault

TOPICS = (elementwise, linear, convolution, norms, recurrent, losses, optimizers, protocol)
FAULTS: tuple[Fault, ...] = tuple(fault for topic in TOPICS for fault in topic.FAULTS)

# Faults of code that both sides share do not show in a comparison of the two: the tests that hold that code.
SHARED = {
    "F11": "tests/training/test_training.py::test_evaluation_and_predictions_are_one_forward_pass",
    "F22": "tests/training/test_training.py::test_validation_is_on_the_validation_records",
    "F24": "tests/training/test_training.py::test_every_record_once_an_epoch_with_its_own_target",
    "F27": "tests/scratch/test_initial_weights.py::test_a_generator_seeded_at_every_draw_is_seen",
    "F28": "tests/data/test_sets.py::test_activity_read_holds_out_a_tenth",
    "F29": "tests/scratch/test_initial_weights.py::test_initial_weights_that_nobody_keeps_are_seen",
    "F31": "tests/report/test_pictures.py::test_words_and_predictions_have_one_index",
    "F32": "tests/data/test_patches.py::test_the_mean_of_each_patch_is_removed",
    "F33": "tests/training/test_training.py::test_a_short_last_batch_counts_by_its_records",
    "F35": "tests/training/test_sweep.py::test_every_point_is_a_new_net",
}
