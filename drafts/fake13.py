from course_lib.lessons.rnn_lstm_gru import model as L, explorers as EX
from course_lib import results as R, evaluate
rng=np.random.default_rng(0)
L.best_rate=lambda task,arm: {"rhythm":.01,"ejection":.003,"memory":.01}[task]
def by_arm(task,part="test"):
    names=list(L.ARMS[task])+(["single frame","mean frame"] if task=="rhythm" else ["median","features, ridge","features of the crop, ridge"])
    return {n: rng.uniform(.5,.55,5) if 'shuffled' in n else rng.uniform(.8,.95,5) if task=="rhythm" else rng.uniform(4,5,5) for n in names}
L.by_arm=by_arm
def gain(task,a,b): 
    return evaluate.Estimate(.1,.02,.2,600,"patients, 5 and 5 seeds")
L.gain=gain
L.last_accuracy=lambda: {k:{lag: rng.choice([.5,1.0],10) for lag in L.LAGS} for k in L.KINDS}
EX._stored_memory=L.last_accuracy
EX._stored_gates=lambda: {"label":np.arange(8)%2,"states":np.zeros((8,48,16))}
R.weights=lambda p,s,**k: ns["estimator"].get_weights()
