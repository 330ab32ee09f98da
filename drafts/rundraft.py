import sys, time, traceback, re, os
import matplotlib; matplotlib.use("Agg")
import jupytext, numpy as np
path=sys.argv[1]
nb=jupytext.reads(open(path).read(), fmt="py:percent")
import course_lib.claims as C, course_lib.plot as plot
import course_lib.lessons as _l
C._display=lambda t: print("   CLAIM>", t)
_k=[0]
def _show(fig, alt, caption):
    _k[0]+=1; fig.savefig(f"/tmp/figs/{os.path.basename(path)[:2]}_{_k[0]:02d}.png",dpi=70,bbox_inches="tight"); print("   FIG>",_k[0], caption[:70])
plot.show=_show
os.makedirs("/tmp/figs",exist_ok=True)
plot.clip=lambda *a, **k: print("   CLIP>")
import course_lib.explorers as X
X.Explorer.show=lambda self: (self._draw if False else print("   EXPLORER"))
exec(open(sys.argv[2]).read()) if len(sys.argv)>2 else None
ns={"__name__":"__main__","display":print}
os.chdir('/tmp')
bad=0
for n,c in enumerate(nb.cells):
    if c.cell_type!="code": continue
    t=time.time()
    if os.environ.get("SOLVED"): c.source=re.sub(r"exercises\.(\w+)\.check\(\1\)", r"exercises.\1.check(exercises.\1.also_correct[0])", c.source)
    try:
        exec(compile(c.source,f"cell{n}","exec"),ns)
    except BaseException as e:
        bad+=1
        print(f"!! cell {n}: {type(e).__name__}: {e}"); 
        tb=traceback.extract_tb(e.__traceback__)[-1]; print("    ",tb.filename,tb.lineno,tb.line)
    d=time.time()-t
    if d>1: print(f"   [cell {n}: {d:.1f}s]")
vis=sum(len(c.source.splitlines()) for c in nb.cells if c.cell_type=="code" and not c.metadata.get("jupyter",{}).get("source_hidden"))
print("words",sum(len(c.source.split()) for c in nb.cells if c.cell_type=="markdown"),"visible lines",vis,"max cell",max(len(c.source.splitlines()) for c in nb.cells if c.cell_type=="code"),"errors",bad)
