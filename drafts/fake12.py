from course_lib import results as R
import ast
pilot={}
for line in open('/tmp/pilot12.txt'):
    if line.startswith('cpu'): continue
    i=line.index(' {'); pilot[line[:i]]=ast.literal_eval(line[i+1:])
import copy
_load=R.load
def load(p):
    if p=="clips_to_sequences/windows":
        return {s: copy.deepcopy(pilot) for s in range(5)}
    return _load(p)
R.load=load
from course_lib.lessons.clips_to_sequences import model as L
rng=np.random.default_rng(0); T=rng.uniform(20,75,600)
def answers(name):
    if name=="truth": return T
    return np.stack([T+rng.normal(0,1.25*pilot[name]["error"]["test"],600) for _ in range(5)])
L.answers=answers
