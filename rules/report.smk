"""The report: one HTML page on what is there, finished or not.

Inputs: none, so that it never makes the run go on; whatever lies in results/, resources/models/,
resources/transformers/ and benchmarks/ is read, and its state is a param.
Outputs: results/report.html.
"""

from reelpack.workflow import looks


rule report:
    """Write results/report.html; `./reelpack report` again when the results have changed."""
    output:
        page=report("results/report.html", caption="report/page.rst", category="Report"),
    log:
        "logs/report.log",
    benchmark:
        "benchmarks/report.tsv"
    conda:
        "../envs/report.yaml"
    params:
        script=get_script("report"),
        asked=looks.get_asked(SETTINGS),
        state=bind(looks.get_report_state),
    shell:
        "python {params.script:q} --asked {params.asked:q} --output {output.page:q} > {log:q} 2>&1"
