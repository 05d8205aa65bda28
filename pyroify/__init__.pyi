from pyroify.api import Result as Result
from pyroify.api import plan as plan
from pyroify.api import rewrite_source as rewrite_source
from pyroify.decide.model import ClassPlan as ClassPlan
from pyroify.decide.model import SitePlan as SitePlan
from pyroify.diagnostics import Finding as Finding
from pyroify.project import ProjectError as ProjectError
from pyroify.publish import PublishError as PublishError
from pyroify.report.run import Report as Report
from pyroify.spec.load import load_spec as load_spec
from pyroify.spec.model import Spec as Spec
from pyroify.spec.model import SpecError as SpecError

__version__: str
