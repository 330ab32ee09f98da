"""mk.py DRAFT NOTEBOOK, keeping metadata and ids of cells with the same source."""
import sys, json, jupytext, nbformat, re, hashlib
draft, nb_path = sys.argv[1:3]
new = jupytext.reads(open(draft).read(), fmt="py:percent")
old = nbformat.read(nb_path, 4)
new.metadata = old.metadata
seen=set()
for n,c in enumerate(new.cells):
    i=hashlib.sha1((c.source+str(n)).encode()).hexdigest()[:8]
    assert i not in seen; seen.add(i); c['id']=i
    c.metadata.pop('lines_to_next_cell',None)
    if c.cell_type=='code': c.outputs=[]; c.execution_count=None
new.nbformat, new.nbformat_minor = 4, 5
sys.path.insert(0,'/work/wt/echo')
from course_lib.tools.notebooks import reading_minutes
m=reading_minutes(json.loads(nbformat.writes(new)))
new.metadata['course']['reading_minutes']=m
for c in new.cells:
    c.source=c.source.replace('MINUTES minutes',f'{m} minutes')
print(m,'minutes; words',sum(len(c.source.split()) for c in new.cells if c.cell_type=='markdown'))
nbformat.validate(new)
nbformat.write(new, nb_path)
print(len(new.cells),'cells')
