cd /work/wt/echo
export PYTHONPATH=/work/wt/echo COURSE_CACHE=/work/main/datasets/cache TF_CPP_MIN_LOG_LEVEL=3 OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OPENBLAS_NUM_THREADS=1
P=/work/main/.venv/bin/python
$P -m course_lib.lessons.clips_to_sequences.experiment windows --workers 1
$P -m course_lib.lessons.rnn_lstm_gru.experiment rhythm_rates rhythm gates ejection_rates ejection memory_rates memory --workers 1
$P -m course_lib.lessons.clips_to_sequences.experiment echo_cine --workers 1
date
