"""Runs detectors and derived tables on Spark: the same files, the same findings. Needs the extra `spark`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlglot  # noqa: F401  so that what is missing is told at once
from py4j.protocol import Py4JError
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from ...errors import ConfigError
from .run import Ended, OnSpark, has_ended

LOCAL = "local[*]"
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # a sum that does not fit is an error, not another number
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "false",
    "spark.sql.caseSensitive": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.ui.retainedExecutions": "5",  # plans of thirty steps: a thousand of them would fill the driver's memory
}
ON_THIS_MACHINE = {
    "spark.ui.enabled": "false",
    "spark.driver.memory": "2g",
    "spark.driver.host": "localhost",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.defaultJavaOptions": f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}",
    "spark.sql.shuffle.partitions": "16",
}


@contextmanager
def on_spark(master: str | None, **settings: str) -> Iterator[OnSpark]:
    """A session of its own with this master, ended at the end; what Spark's own configuration says holds, too.

    Raises ConfigError where Spark does not start, Ended where it is not there any more.
    """
    builder = SparkSession.builder.appName("aegis-enrich hunt")
    local = master is None or master.startswith("local")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = builder.master(master or LOCAL)
    for key, value in (SETTINGS | (ON_THIS_MACHINE if local else {}) | settings).items():
        builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        what = str(error).splitlines()[0]
        raise ConfigError(f"Spark does not start: {what}; it needs Java 17 or 21: see `java -version`") from error
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield OnSpark(spark)
    except (Py4JError, OSError) as error:
        if has_ended(spark):
            raise Ended(error) from error
        raise
    finally:
        with suppress(Py4JError, OSError):
            spark.stop()
